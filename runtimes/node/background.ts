/** What an invocation still has to do when it has been answered: promises that `waitUntil` was given. */
import { logError } from './console.ts';

const { console } = globalThis;

export class Background {
  readonly #settled: () => void;
  #pending = 0;
  #over = false;

  /** `settled`: nothing is pending any more. */
  constructor(settled: () => void) {
    this.#settled = settled;
  }

  get pending(): boolean {
    return this.#pending > 0;
  }

  add(promise: unknown): void {
    if (this.#over) console.warn('waitUntil was called when its invocation was over: nothing waits for the promise');
    else this.#pending++;
    void this.#watch(promise);
  }

  /** `await` rather than `then`: it does not depend on what user code made of Promise.prototype. */
  async #watch(promise: unknown): Promise<void> {
    try {
      await promise;
    } catch (error) {
      logError('waitUntil Error', error);
    }
    if (!this.#over && --this.#pending === 0) this.#settled();
  }

  /** Nothing is left that could settle what is pending: it is not waited for any more. */
  giveUp(): void {
    this.#pending = 0;
    console.warn('a promise that waitUntil was given will never settle: nothing is left that could settle it');
    this.#settled();
  }

  close(): void {
    this.#over = true;
  }
}
