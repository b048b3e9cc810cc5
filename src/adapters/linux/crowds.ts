/**
 * Instances of very many processes, a fork bomb's most of all. That they give way (hogs.ts) does not help those beside them: hundreds of
 * processes that come and go keep the kernel's scheduler itself from its work, and whoever wakes up waits until it is through with them. So
 * where processors are scarce one of them is throttled: its processes are taken off the processors together once they have had what is due.
 */
import type { Clock } from '../../kernel/mod.ts';

/** One with so many processes. */
const CROWD = 128;
/** What is due to it: its share as Lambda has it, of the machine at most so much. */
const MOST = 1 / 8;
const MOST_ENDING = 1 / 4;
/** A crowd is one until it has had fewer processes for so long. */
const FREE_AFTER_MS = 2_000;
/** What begins where one was is taken for one, for so long after it was seen last: some attacks last no longer than it takes to find them. */
const SUSPECTED_MS = 10_000;

export const isCrowd = (processes: number): boolean => processes >= CROWD;

export type Crowding = {
  /** Its share, in thousandths of a processor. */
  readonly weight: number;
  processes(): readonly number[];
  /** What it gets at most, in thousandths of a processor; undefined: all that there is. */
  throttle(milli: number | undefined): void;
  /** Of all that have been in its place. */
  readonly past: { crowdMs: number };
};

export type CrowdsOptions = { readonly clock: Clock; readonly processors: number };

export class Crowds {
  readonly #options: CrowdsOptions;
  /** Until when, unless they are crowds still. */
  readonly #throttled = new Map<Crowding, number>();

  constructor(options: CrowdsOptions) {
    this.#options = options;
  }

  /** It begins its work. */
  begins(one: Crowding): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < one.past.crowdMs + SUSPECTED_MS) this.#throttle(one, nowMs);
  }

  /** It is one, and processors are scarce. */
  found(one: Crowding): void {
    const nowMs = this.#options.clock.monotonicMs();
    one.past.crowdMs = nowMs;
    this.#throttle(one, nowMs);
  }

  /** Once throttled they leave processors to others: whether those are scarce says nothing any more. */
  review(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [one, untilMs] of this.#throttled) {
      if (isCrowd(one.processes().length)) this.found(one);
      else if (nowMs >= untilMs) {
        this.delete(one);
        one.throttle(undefined);
      }
    }
  }

  /** It is being killed, and its template waits for that: it gets more, to the end. */
  ends(one: Crowding): void {
    if (this.#throttled.delete(one)) one.throttle(1_000 * this.#options.processors * MOST_ENDING);
  }

  /** It is throttled on, if it is: whoever uses its group again sees to that. */
  delete(one: Crowding): void {
    this.#throttled.delete(one);
  }

  #throttle(one: Crowding, nowMs: number): void {
    if (!this.#throttled.has(one)) one.throttle(Math.min(one.weight, 1_000 * this.#options.processors * MOST));
    this.#throttled.set(one, nowMs + FREE_AFTER_MS);
  }
}
