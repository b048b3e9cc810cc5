/**
 * Notices that the event loop has nothing left to do, where Node cannot say it: before 'beforeExit' Node waits for V8's worker threads, and
 * a forked process has none, so it would wait for ever. The watch keeps the loop going by itself and looks, between other things, whether
 * anything else does.
 */
const { setImmediate, setTimeout, clearImmediate, clearTimeout } = globalThis;

/** Whether anything keeps the event loop going. */
export type LoopAlive = () => boolean;

/** Looks in a row at which nothing was there, until it counts. Where V8 may still be at work (it compiles WebAssembly in small steps) more. */
const LOOKS = 2;
const PATIENT_LOOKS = 6;
const MAX_DELAY_MS = 16;
/**
 * A look costs about as much as a short invocation, and leaves garbage, by which thousands of instances that wait would grow. So what is awaited
 * is looked for at 1, 8, 64 and 512 ms, and then each time when as much has passed again.
 */
const SELDOM_MS = 512;
const PATIENT_GROWTH = 8;

export type IdleWatchOptions = {
  readonly alive: LoopAlive;
  /** Whether what is awaited could come from somewhere that the loop does not know of: a promise. */
  readonly patient: () => boolean;
  readonly idle: () => void;
};

export class IdleWatch {
  readonly #options: IdleWatchOptions;
  /** Looks of an earlier round, still under way, find another number here. */
  #round = 0;
  #empty = 0;
  #delayMs = 1;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#empty = 0;
    this.#delayMs = 1;
    setImmediate(this.#look, ++this.#round);
  }

  stop(): void {
    this.#round++;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Between timers and sockets: within a timer's callback libuv does not count the other timers. */
  readonly #look = (round: number): void => {
    if (round !== this.#round) return;
    const patient = this.#options.patient();
    if (this.#isAlive()) {
      this.#empty = 0;
      this.#delayMs = patient
        ? this.#delayMs * (this.#delayMs < SELDOM_MS ? PATIENT_GROWTH : 2)
        : Math.min(this.#delayMs * 2, MAX_DELAY_MS);
      this.#timer = setTimeout(this.#lookSoon, this.#delayMs, round);
    } else if (++this.#empty >= (patient ? PATIENT_LOOKS : LOOKS)) {
      this.stop();
      this.#options.idle();
    } else if (patient) this.#timer = setTimeout(this.#lookSoon, 2 ** this.#empty, round);
    else setImmediate(this.#look, round);
  };

  readonly #lookSoon = (round: number): void => {
    setImmediate(this.#look, round);
  };

  #isAlive(): boolean {
    // The immediate that runs now still counts as alive, until the last one is unreferenced.
    const last = setImmediate(() => {}).unref();
    clearImmediate(last);
    return this.#options.alive();
  }
}
