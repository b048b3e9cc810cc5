import type { Clock } from '../../kernel/mod.ts';

/** Between two invocations so close to each other nothing is stopped. */
const FREEZE_AFTER_MS = 5;

/** Stops an environment that has nothing to do, after a moment in which that may change. */
export class Freezer {
  readonly #clock: Clock;
  readonly #freeze: (frozen: boolean) => void;
  #timer: ReturnType<Clock['after']> | undefined;
  #frozen = false;

  constructor(clock: Clock, freeze: (frozen: boolean) => void) {
    this.#clock = clock;
    this.#freeze = freeze;
  }

  idle(idle: boolean): void {
    this.stop();
    if (idle) {
      this.#timer = this.#clock.after(FREEZE_AFTER_MS, () => {
        this.#frozen = true;
        this.#freeze(true);
      });
    } else if (this.#frozen) {
      this.#frozen = false;
      this.#freeze(false);
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
