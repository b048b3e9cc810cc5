import { mostAhead, worthHandingAhead } from '../policy/mod.ts';
import type { Member } from './member.ts';
import type { Pace } from './pace.ts';
import type { Pool } from './pool.ts';
import type { Run } from './run.ts';

/**
 * The invocations of a pool that wait in the hands of instances at work, which begin them by themselves when their turn has come: between
 * two of them the instance need not wait for the host, nor the host for it. The pool's other rules stand: nobody waits behind one that
 * takes longer than a start, and what has not begun can be taken back.
 */
export class Ahead {
  /** How many there are. */
  size = 0;
  readonly #pool: Pool;
  readonly #pace: Pace;
  /** Instances that have some. */
  readonly #leading = new Set<Member>();

  constructor(pool: Pool, pace: Pace) {
    this.#pool = pool;
    this.#pace = pace;
  }

  /** Gives an instance at work its share of those in line; not one that has answered nothing yet. False: it has none in hand. */
  give(member: Member, nowMs: number): boolean {
    const { instance, ahead } = member;
    const { waiting: line, host } = this.#pool;
    if (line.size === 0 || !instance.handAhead || member.running === 0 || member.warmSinceMs === undefined || !member.alive) return false;
    if (host.isShortFor(this.#pool) || !worthHandingAhead(this.#pace.look(line.size, nowMs))) return false;
    const most = mostAhead(line.size + ahead.length, this.#pace.instances);
    for (let run = line.first; run && ahead.length < most; run = line.first) {
      line.remove(run);
      ahead.push(run);
      if (!run.handAhead(member)) {
        ahead.pop();
        line.unshift(run);
        break;
      }
      this.size++;
    }
    if (ahead.length > 0) this.#leading.add(member);
    return ahead.length > 0;
  }

  /** The one whose turn has come. */
  next(member: Member): Run {
    const run = member.ahead.shift()!;
    this.#left(member);
    return run;
  }

  /** Whether `member` had it in hand and does not have it any more. */
  remove(run: Run, member: Member): boolean {
    const at = member.ahead.indexOf(run);
    if (at < 0) return false;
    member.ahead.splice(at, 1);
    this.#left(member);
    return true;
  }

  /** Takes back what waits behind invocations that take longer than a start. True: others are still in somebody's hands. */
  recallStuck(nowMs: number): boolean {
    const { startMs } = this.#pace;
    for (const { latest, instance } of this.#leading) if (latest && nowMs - latest.startedMs >= startMs) instance.recall!();
    return this.#leading.size > 0;
  }

  recallAll(): void {
    for (const { instance } of this.#leading) instance.recall!();
  }

  #left(member: Member): void {
    this.size--;
    if (member.ahead.length === 0) this.#leading.delete(member);
  }
}
