import type { ExpiringFifo } from '../kernel/mod.ts';
import { crowded, schedule, worthWaiting } from '../policy/mod.ts';
import type { Line, PoolView, ShareView } from '../policy/mod.ts';
import type { Ahead } from './ahead.ts';
import type { Fleet } from './fleet.ts';
import type { Host } from './host.ts';
import type { Pace } from './pace.ts';
import { Patience } from './patience.ts';
import type { Run } from './run.ts';
import type { ForkCause } from './starts.ts';

export type SecondThoughtsOptions = {
  readonly pool: PoolView & { readonly share: ShareView };
  readonly host: Host;
  readonly waiting: ExpiringFifo<Run>;
  readonly ahead: Ahead;
  readonly pace: Pace;
  readonly fleet: Fleet;
  readonly place: (run: Run, placement: 'warm' | 'fork', nowMs: number, cause: ForkCause | undefined) => void;
  /** All who were let go have been placed: the others may be, by the pool's usual rules. */
  readonly done: () => void;
};

/** Those who were left to wait for an instance at work: whether that still pays, and what becomes of them when it doesn't. */
export class SecondThoughts {
  readonly patience: Patience;
  readonly #options: SecondThoughtsOptions;

  constructor(options: SecondThoughtsOptions) {
    this.#options = options;
    this.patience = new Patience(options.host.clock, () => this.#think());
  }

  /** Whether an invocation is better off waiting for an instance at work than with what `schedule` offers. */
  mayWait(placement: 'warm' | 'fork', line: Line): boolean {
    return placement === 'fork' ? worthWaiting(line) : !this.#options.fleet.spare && crowded(line);
  }

  /** Gives instances to those in line for whom it pays, and to those who have waited as long as a fork takes. */
  #think(): void {
    const { pool, host, waiting, ahead, pace, fleet, place, done } = this.#options;
    if (waiting.size === 0 && ahead.size === 0) return;
    const nowMs = host.clock.monotonicMs();
    const { startMs } = pace;
    if (ahead.recallStuck(nowMs)) this.patience.again(startMs);
    if (waiting.size === 0) return;
    pace.step(nowMs);
    for (let run = waiting.first; run; run = waiting.first) {
      fleet.dropDead();
      const placement = schedule(pool, pool.share, host.room);
      if (placement !== 'warm' && placement !== 'fork') break;
      const leftMs = startMs - (nowMs - run.arrivedMs);
      const overdue = leftMs <= TIMER_TOLERANCE_MS;
      const line = pace.look(waiting.size - 1, nowMs);
      if (overdue ? crowded(line) : this.mayWait(placement, line)) {
        this.patience.again(overdue ? startMs : leftMs);
        return;
      }
      if (pace.stepLeft-- <= 0) {
        this.patience.again(startMs);
        return;
      }
      waiting.remove(run);
      place(run, placement, nowMs, overdue ? 'waited as long as a start takes' : undefined);
    }
    done();
  }
}

/** Timers count whole milliseconds and may fire a fraction early. */
const TIMER_TOLERANCE_MS = 0.5;
