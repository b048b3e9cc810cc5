/**
 * The kernel counts what is in /tmp as memory, and so a group's limit is the function's memory and room for a full /tmp. That nobody takes the
 * room of /tmp for other things is looked after here: groups at work are looked at, and where one is over its memory what the kernel would
 * kill is killed.
 */
import type { Clock } from '../../kernel/mod.ts';

export type Watched = {
  /** Bytes of memory without /tmp. */
  readonly limitBytes: number;
  /** Whether something runs in it. */
  busy(): boolean;
  privateBytes(limitBytes: number): number;
  endLargest(): void;
};

const EVERY_MS = 250;
/** Looking at one takes some 30 us. More of them wait for the next time. */
const AT_ONCE = 64;

export class MemoryWatch {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  /** Whether it looks again. */
  #looking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(watched: Watched): void {
    this.#watched.add(watched);
    if (!this.#looking) this.#lookLater();
  }

  delete(watched: Watched): void {
    this.#watched.delete(watched);
  }

  #look(): void {
    let looks = 0;
    for (const watched of [...this.#watched]) {
      if (looks === AT_ONCE) break;
      if (!watched.busy()) continue;
      looks++;
      // To the end of the row.
      this.#watched.delete(watched);
      this.#watched.add(watched);
      if (watched.privateBytes(watched.limitBytes) > watched.limitBytes) watched.endLargest();
    }
    if (this.#watched.size > 0) this.#lookLater();
    else this.#looking = false;
  }

  #lookLater(): void {
    this.#looking = true;
    this.#clock.after(EVERY_MS, () => this.#look());
  }
}
