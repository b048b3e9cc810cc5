import type { Clock, Timer } from '../kernel/mod.ts';

/** When a pool thinks about those who wait for a busy instance: at most once per turn of the event loop, and on one timer. */
export class Patience {
  readonly #clock: Clock;
  readonly #think: () => void;
  readonly #fire = (): void => {
    this.#timer = undefined;
    // Not at once: answers that have arrived meanwhile may have freed instances.
    this.soon();
  };
  #timer: Timer | undefined;
  #soon = false;

  constructor(clock: Clock, think: () => void) {
    this.#clock = clock;
    this.#think = () => {
      this.#soon = false;
      think();
    };
  }

  /** Whether a thought is due without further ado. */
  get pending(): boolean {
    return this.#soon || this.#timer !== undefined;
  }

  /** Once the I/O that has arrived is handled. */
  soon(): void {
    if (this.#soon) return;
    this.#soon = true;
    this.#clock.soon(this.#think);
  }

  /** In `delayMs` again, unless the timer runs already. */
  again(delayMs: number): void {
    this.#timer ??= this.#clock.after(delayMs, this.#fire);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
