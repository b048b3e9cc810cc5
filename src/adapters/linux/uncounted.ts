/**
 * The memory of a program where no control group counts it: a limit of each process says only how much it may map, and many runtimes map more
 * than they use. What is in use is looked at from outside, now and then, as `MemoryWatch` does for groups.
 */
import { readFileSync } from 'node:fs';
import type { MemoryWatch, Watched } from './memory-watch.ts';
import { childrenOf } from './peak-memory.ts';

export type UncountedOptions = {
  readonly watch: MemoryWatch;
  readonly limitBytes: number;
  readonly busy: () => boolean;
  /** Undefined until it is there. */
  readonly keeperPid: () => number | undefined;
};

const KiB = 1024;

export class Uncounted {
  /** Whether something was killed for it. */
  exceeded = false;
  readonly #watch: MemoryWatch;
  readonly #watched: Watched;

  constructor({ watch, limitBytes, busy, keeperPid }: UncountedOptions) {
    this.#watch = watch;
    const all = (): number[] => descendantsOf(keeperPid());
    this.#watched = {
      limitBytes,
      busy,
      privateBytes: () => all().reduce((sum, pid) => sum + privateKiB(pid) * KiB, 0),
      endLargest: () => {
        this.exceeded = true;
        for (const pid of all()) kill(pid);
      },
    };
    watch.add(this.#watched);
  }

  stop(): void {
    this.#watch.delete(this.#watched);
  }
}

/** All that it has started, and what they have. */
function descendantsOf(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** What it has for itself of memory (proc_pid_status(5), RssAnon). */
function privateKiB(pid: number): number {
  try {
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    // It has ended.
    return 0;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended a moment ago: what was wanted.
  }
}
