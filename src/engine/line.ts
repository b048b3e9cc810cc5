import { mayQueue } from '../policy/mod.ts';
import { failedStart } from './starts.ts';
import type { Wait } from './starts.ts';
import type { Pool } from './pool.ts';
import { Refusals } from './refusals.ts';
import type { Run } from './run.ts';
import { WaitingLine } from './waiting-line.ts';

/** Those who wait for an instance of a pool: how many may, for how long, and how they hear that it was in vain. */
export class Line {
  readonly waiting: WaitingLine;
  readonly refusals: Refusals;
  readonly #pool: Pool;
  /** How many may wait. */
  depth: number;

  constructor(pool: Pool) {
    const { clock, limits } = pool.host;
    this.depth = limits.queueDepth;
    this.#pool = pool;
    this.refusals = new Refusals(pool);
    this.waiting = new WaitingLine({ clock, ttlMs: limits.queueAgeMs, expire: (run) => this.#agedOut(run), count: pool.host });
  }

  /** Those who wait already may do so for as long as they were to. */
  limit({ queueDepth, queueAgeMs }: { readonly queueDepth: number; readonly queueAgeMs: number }): void {
    this.depth = queueDepth;
    this.waiting.ttlMs = queueAgeMs;
  }

  /** `relieve` is tried before anybody is refused. */
  add(run: Run, waitsFor: Wait, relieve: () => void): void {
    run.waitedFor = waitsFor;
    const { host, ahead } = this.#pool;
    host.watch.wake(true);
    const full = () => !mayQueue(this.waiting.size + ahead.size, this.depth, host);
    if (full()) relieve();
    if (full()) this.refusals.throttle(run);
    else this.waiting.add(run, run.arrivedMs);
  }

  /** All who wait now waited for this init; they share its failure. */
  booted(ok: boolean): void {
    for (let run = this.waiting.first; run; run = run.next) run.waitedFor = 'a boot';
    for (let run = ok ? undefined : this.waiting.first; run; run = this.waiting.first) {
      this.waiting.remove(run);
      this.fail(run);
    }
  }

  /** There is no template for it. */
  fail(run: Run): void {
    const { template, tally, host } = this.#pool;
    const failure = template.failure!;
    if (failure.kind === 'init') tally.invocations++;
    const start = run.waitedFor === 'a boot' ? failedStart(host.bootKind, run.arrivedMs, template.story) : undefined;
    this.refusals.notBooted(run, failure, start);
  }

  #agedOut(run: Run): void {
    this.refusals.throttle(run);
    if (this.waiting.size === 0) this.#pool.turn.leave();
    this.#pool.host.freed(this.#pool);
  }
}
