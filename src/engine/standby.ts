import type { StartKind } from '../ports/mod.ts';
import type { Fleet } from './fleet.ts';
import { Kept } from './kept.ts';
import type { Pool } from './pool.ts';
import type { BootOutcome } from './template-slot.ts';
import { Unasked } from './unasked.ts';
import { Warmer } from './warmer.ts';

/** What a pool holds although nobody waits for it: what it is told to keep, and what its calls make worth holding. */
export class Standby {
  readonly kept: Kept;
  readonly warmer: Warmer | undefined;

  /** `startMs`: what the first invocation of an instance takes longer. */
  constructor(pool: Pool, fleet: Fleet, startMs: () => number) {
    const { tally, outsideLog, host } = pool;
    const unasked = new Unasked({ fleet, tally, outsideLog });
    this.kept = new Kept(pool, { fleet, unasked });
    if (host.warming) this.warmer = new Warmer(pool, host.warming, { fleet, kept: this.kept, unasked, startMs });
  }

  /** One more invocation has begun that arrived at `arrivedMs`; now `running` do. On the way of each. */
  began({ kind }: { readonly kind: StartKind }, arrivedMs: number, running: number, trigger?: string): void {
    this.kept.began(kind === 'warm', running);
    this.warmer?.began(kind, arrivedMs, trigger);
  }

  /** One has ended, and so many run or wait. The same. */
  ended(load: number, nowMs: number, sound: boolean): void {
    if (this.kept.active) this.kept.ended(load, nowMs, sound);
    if (load === 0) this.warmer?.idle(nowMs);
  }

  /** Whether a template is wanted that nobody waits for. */
  get wantsMore(): boolean {
    return this.kept.wantsMore || (this.warmer?.wantsMore ?? false);
  }

  booted(outcome: BootOutcome): void {
    this.kept.booted(outcome);
    this.warmer?.booted(outcome.ok);
  }

  stop(): void {
    this.kept.stop();
    this.warmer?.stop();
  }
}
