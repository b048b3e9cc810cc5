/**
 * The memory of a program where no control group counts it: a limit of each process says only how much it may map, and many runtimes map more
 * than they use. What is in use is looked at from outside, now and then, as `MemoryWatch` does for groups.
 */
import { kill } from './cgroup.ts';
import type { MemoryWatch, Watched } from './memory-watch.ts';
import { childrenOf, statusKiB } from './peak-memory.ts';

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
      privateBytes: () => all().reduce((sum, pid) => sum + statusKiB(pid, 'RssAnon') * KiB, 0),
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
