/** Sandboxes made ahead, so that a function need not wait for its walls. */
import type { Clock } from '../../kernel/mod.ts';

export type Blank = { readonly closed: boolean };

export type BlanksOptions<T extends Blank> = {
  readonly clock: Clock;
  readonly make: () => T;
};

/** The next one is made so long after one was taken: that takes a processor, which the function that has it needs until it has answered. */
export const REST_MS = 12;
/** Within so long after the last one functions start in a row, faster than sandboxes are made: there are two then. */
export const ROW_MS = 1_000;

export class Blanks<T extends Blank> {
  readonly #options: BlanksOptions<T>;
  #ready: T[] = [];
  #lastTakenMs = -Infinity;
  #wanted = 1;
  #closed = false;

  constructor(options: BlanksOptions<T>) {
    this.#options = options;
  }

  /** One that was made ahead, or one made now. */
  take(): T {
    const { clock, make } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#wanted = nowMs - this.#lastTakenMs < ROW_MS ? 2 : 1;
    this.#lastTakenMs = nowMs;
    clock.after(REST_MS, () => this.#prepareQuietly());
    this.#dropClosed();
    return this.#ready.shift() ?? make();
  }

  prepare(): void {
    this.#dropClosed();
    while (!this.#closed && this.#ready.length < this.#wanted) this.#ready.push(this.#options.make());
  }

  #prepareQuietly(): void {
    try {
      this.prepare();
    } catch {
      // Descriptors or processes have run out: the next one is made when it is needed, and whoever needs it hears of it.
    }
  }

  /** None is made any more. Those that are there are their maker's to end. */
  close(): void {
    this.#closed = true;
  }

  #dropClosed(): void {
    this.#ready = this.#ready.filter((blank) => !blank.closed);
  }
}
