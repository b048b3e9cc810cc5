import { agedMinutes } from '../policy/mod.ts';

const MINUTE_MS = 60_000;

/** In how many minutes a deployment was called: what it is worth to keep it goes by that. A call costs one comparison. */
export class Activity {
  /** The clock of greedy-dual eviction when the latest minute with a call began. */
  inflation = 0;
  /** One that is new is taken for one that was called: it is there to be. */
  #minutes = 1;
  #asOfMs: number;
  #minuteEndsMs = -Infinity;

  constructor(nowMs: number) {
    this.#asOfMs = nowMs;
  }

  seen(nowMs: number, evictionClock: number): void {
    if (nowMs < this.#minuteEndsMs) return;
    this.#minutes = this.minutes(nowMs) + 1;
    this.#asOfMs = nowMs;
    this.#minuteEndsMs = nowMs + MINUTE_MS;
    this.inflation = evictionClock;
  }

  /** Those long ago count for less. */
  minutes(nowMs: number): number {
    return agedMinutes(this.#minutes, this.#asOfMs, nowMs);
  }
}
