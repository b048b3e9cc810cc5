import { mostMoreAtOnce, startCostMs } from '../policy/mod.ts';
import type { Line } from '../policy/mod.ts';
import { Average } from './average.ts';
import type { Fleet } from './fleet.ts';
import type { Member } from './member.ts';
import type { Run } from './run.ts';

/**
 * What a pool has learned of how long its invocations and its starts take: what `crowded` and `worthWaiting` go by. Constant time,
 * and nothing is allocated.
 */
export class Pace implements Line {
  readonly concurrency: number;
  readonly processors: number;
  /** As of the last look. */
  waiting = 0;
  elapsedMs = 0;
  /** How many more instances may be set to work for those who have waited, in this step of `startMs`. */
  stepLeft = 0;
  #stepEndsMs = 0;
  readonly #fleet: Fleet;
  readonly #service = new Average();
  readonly #first = new Average();
  #running = 0;
  /** The sum of the monotonic times at which those that run have begun. */
  #begunMs = 0;

  constructor(fleet: Fleet, concurrency: number, processors: number) {
    this.#fleet = fleet;
    this.concurrency = concurrency;
    this.processors = processors;
  }

  get instances(): number {
    return this.#fleet.size;
  }

  get busy(): number {
    return this.#fleet.size - this.#fleet.idle;
  }

  get serviceMs(): number | undefined {
    return this.#service.value;
  }

  get startMs(): number {
    return startCostMs(this.#first.value, this.#service.value);
  }

  /** What is known without asking the clock: how long those that run have been at it is left out. */
  get atLeast(): Line {
    this.waiting = 0;
    this.elapsedMs = 0;
    return this;
  }

  /** All that is known at `nowMs`, monotonic, when `waiting` others wait too. Valid until the next look. */
  look(waiting: number, nowMs: number): Line {
    this.waiting = waiting;
    this.elapsedMs = this.#running === 0 ? 0 : nowMs - this.#begunMs / this.#running;
    return this;
  }

  /** Begins another step if the last one is over. */
  step(nowMs: number): void {
    if (nowMs < this.#stepEndsMs) return;
    this.#stepEndsMs = nowMs + this.startMs - TOLERANCE_MS;
    this.stepLeft = mostMoreAtOnce(this);
  }

  began(run: Run, member: Member, nowMs: number): void {
    // One that waits for its instance to come up is not slow yet.
    run.graceMs = member.warmSinceMs === undefined ? this.startMs : 0;
    this.#running++;
    this.#begunMs += nowMs + run.graceMs;
  }

  /** It has not begun after all. */
  returned(run: Run): void {
    this.#running--;
    this.#begunMs = this.#running === 0 ? 0 : this.#begunMs - run.startedMs - run.graceMs;
  }

  /** `answered`: it came to its own end, on an instance that lives on. Others say nothing of how long an invocation takes. */
  ended(run: Run, member: Member, nowMs: number, answered: boolean): void {
    const { startedMs } = run;
    this.#running--;
    // Beginning anew whenever it can keeps the sum from gathering rounding errors.
    this.#begunMs = this.#running === 0 ? 0 : this.#begunMs - startedMs - run.graceMs;
    if (!answered) return;
    if (member.warmSinceMs === undefined) {
      member.warmSinceMs = nowMs;
      if (member.forkedMs !== undefined) this.#first.add(nowMs - member.forkedMs);
    } else if (startedMs >= member.warmSinceMs) {
      this.#service.add(nowMs - startedMs);
    }
  }
}

/** Timers may fire a fraction early. */
const TOLERANCE_MS = 0.5;
