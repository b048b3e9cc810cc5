/**
 * An instance made ahead: when a function has just booted somebody will call it soon, when several instances at a time are in use another
 * one will often be, and to make it takes longer than most functions run. It waits as an idle one does, nothing of the function has run in
 * it since init, and it counts as nobody's until it is taken.
 */
import type { Clock, Timer } from '../../kernel/mod.ts';

/** What `Spare` needs to know of an instance. */
export type Forked = { readonly alive: boolean; kill(): void };

export type SpareOptions<T extends Forked> = {
  readonly clock: Clock;
  readonly make: () => T;
  /** One has ended, or is ended now, that nobody has asked for. */
  readonly unused: (instance: T) => void;
  /** It is made when nothing was asked for during so long: in a burst, whoever waits comes first. Default: QUIET_MS. */
  readonly quietMs?: number;
};

export const QUIET_MS = 16;
/** And ends when nobody has asked for it after so long. */
export const KEPT_MS = 30_000;

/** One at most. */
export class Spare<T extends Forked> {
  readonly #options: SpareOptions<T>;
  #instance: T | undefined;
  #timer: Timer | undefined;
  #taken = 0;
  #stopped = false;

  constructor(options: SpareOptions<T>) {
    this.#options = options;
  }

  /** That there is; it may have ended by itself. */
  get instance(): T | undefined {
    return this.#instance;
  }

  get made(): boolean {
    return this.#instance !== undefined;
  }

  /** Makes one now, for the first who asks. */
  ahead(): void {
    if (!this.#stopped && !this.#instance) this.#make();
  }

  /** The spare instance, or one made now. */
  take(): T {
    const spare = this.#instance;
    this.#instance = undefined;
    this.#timer?.cancel();
    // A function that one instance is enough for gets no other.
    if (++this.#taken > 1 && !this.#stopped) this.#timer = this.#options.clock.after(this.#options.quietMs ?? QUIET_MS, () => this.#make());
    return spare?.alive ? spare : this.#options.make();
  }

  /** An instance has ended, perhaps the spare one. */
  lost(instance: T | undefined): void {
    if (instance && this.#instance === instance) this.#drop();
  }

  /** No further one is made; one that is there ends. */
  stop(): void {
    this.#stopped = true;
    this.#drop();
  }

  #make(): void {
    try {
      this.#instance = this.#options.make();
    } catch {
      // Descriptors have run out: the next one is made when it is needed, and whoever needs it hears of it.
      return;
    }
    this.#timer = this.#options.clock.after(KEPT_MS, () => this.#drop());
  }

  #drop(): void {
    this.#timer?.cancel();
    const instance = this.#instance;
    this.#instance = undefined;
    if (!instance) return;
    instance.kill();
    this.#options.unused(instance);
  }
}
