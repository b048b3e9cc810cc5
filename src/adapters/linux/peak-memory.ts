import { readFileSync } from 'node:fs';

/** The most that each of these processes has had resident so far, together, KiB (proc_pid_status(5), VmHWM). Those that have ended count nothing. */
export function peakOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusKiB(pid, 'VmHWM'), 0);
}

/** A figure of a process (proc_pid_status(5)), KiB; 0 where it has ended. */
export function statusKiB(pid: number, field: 'VmHWM' | 'RssAnon'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** Processes that it has started, and that it has been given as orphans. */
export function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
}
