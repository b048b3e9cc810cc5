/** The processes of this machine, as far as they can be seen from here. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/** `state`: one letter, Z for a zombie. `command`: with its arguments; of a process that has none, the name. */
export type Process = { readonly pid: number; readonly parent: number; readonly state: string; readonly command: string };

export const readProcesses = (): Process[] => (existsSync('/proc/self/stat') ? fromProc() : fromPs());

/** All that come from `pid`, parents before their children. One whose parent has ended comes from nobody. */
export function below(pid: number, processes: readonly Process[] = readProcesses()): Process[] {
  return processes.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...below(child.pid, processes)]);
}

/** Kills them, in this order. */
export function killAll(processes: readonly { readonly pid: number }[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, perhaps with those before it.
    }
  }
}

function fromProc(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = read(`/proc/${name}/stat`);
      const command = read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
      if (stat === '') return [];
      // The name, which may hold anything, is in parentheses.
      const end = stat.lastIndexOf(')');
      const [state, parent] = stat.slice(end + 2).split(' ');
      return [{ pid: Number(name), parent: Number(parent), state: state!, command: command || stat.slice(stat.indexOf('(') + 1, end) }];
    });
}

function fromPs(): Process[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state=,args='], { encoding: 'utf8', maxBuffer: 1 << 26 }).split('\n');
  return lines.flatMap((line) => {
    const [, pid, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S)\S*\s+(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), state: state!, command: command! }];
  });
}

/** Empty where the process has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
