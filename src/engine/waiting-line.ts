import { ExpiringFifo } from '../kernel/mod.ts';
import type { Clock } from '../kernel/mod.ts';
import type { Run } from './run.ts';

export type WaitingLineOptions = {
  readonly clock: Clock;
  readonly ttlMs: number;
  readonly expire: (run: Run) => void;
  /** Counts those of all lines. */
  readonly count: { waiting: number };
};

/** The invocations of one deployment that wait, each for so long at most. */
export class WaitingLine extends ExpiringFifo<Run> {
  readonly #count: { waiting: number };

  constructor({ count, ...options }: WaitingLineOptions) {
    super(options);
    this.#count = count;
  }

  override push(run: Run): void {
    super.push(run);
    this.#count.waiting++;
  }

  override unshift(run: Run): void {
    super.unshift(run);
    this.#count.waiting++;
  }

  override remove(run: Run): void {
    if (run.queue === this) this.#count.waiting--;
    super.remove(run);
  }
}
