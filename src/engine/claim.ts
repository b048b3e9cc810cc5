import { isUsedUp } from '../policy/mod.ts';
import type { Candidate, CapacityClass, Need } from '../policy/mod.ts';
import { Activity } from './activity.ts';
import type { Deployment } from './deployment.ts';
import type { Fleet } from './fleet.ts';
import type { Kept } from './kept.ts';
import type { Pace } from './pace.ts';
import type { Pool } from './pool.ts';
import type { Refusals } from './refusals.ts';

export type ClaimParts = { readonly fleet: Fleet; readonly pace: Pace; readonly kept: Kept; readonly refusals: Refusals };

export const classOf = ({ capacity }: Deployment): CapacityClass => capacity?.class ?? 'standard';

/** What a deployment could do without now, and how it is taken from it. */
export type Evictable = Candidate & {
  /** All that could be taken from it one by one: its idle instances, and its template where none is at work. */
  readonly mostInstances: number;
  readonly mostMiB: number;
  evict(): void;
};

/** What a deployment takes of the machine, what it could give back to others, and who of its callers goes when it is too much. */
export class Claim implements Need {
  readonly capacityClass: CapacityClass;
  readonly activity: Activity;
  readonly #pool: Pool;
  readonly #parts: ClaimParts;

  constructor(pool: Pool, parts: ClaimParts) {
    this.#pool = pool;
    this.#parts = parts;
    this.capacityClass = classOf(pool.deployment);
    this.activity = new Activity(pool.host.clock.monotonicMs());
  }

  /** For one more instance. */
  get needMiB(): number {
    return this.#pool.template.holding.instanceMiB;
  }

  /** How many wait for the machine, and not for a limit or the init of their own function. */
  get waiting(): number {
    const { instances, maxInstances, share, waiting, template } = this.#pool;
    const atOwnLimit = instances >= maxInstances || (share.reserved && isUsedUp(share));
    return atOwnLimit || template.isGoing ? 0 : waiting.size;
  }

  /** Monotonic time at which the first and the last of those who wait have arrived. */
  get oldestMs(): number {
    return this.#pool.waiting.first?.arrivedMs ?? Infinity;
  }

  get newestMs(): number {
    return this.#pool.waiting.last?.arrivedMs ?? -Infinity;
  }

  /** Finds out what its template and its instances take: by the driver or, where that can't tell, by what an instance has reported. */
  measure(): void {
    const { template, holding } = this.#pool.template;
    const reportedKiB = this.#parts.fleet.longestIdle?.memoryKiB ?? 0;
    if (template?.memory) holding.measured(template.memory());
    else if (template && reportedKiB > 0) holding.measured({ instanceKiB: reportedKiB });
  }

  shedNewest(): void {
    const { waiting } = this.#pool;
    const run = waiting.last!;
    waiting.remove(run);
    this.#parts.refusals.throttle(run, true);
  }

  /** The instance that has been idle for longest or, where there is no instance, the template. Undefined: all of it is in use, promised or waited for. */
  evictable(nowMs: number): Evictable | undefined {
    const { template, waiting } = this.#pool;
    if (waiting.size > 0) return undefined;
    const { fleet, pace, kept } = this.#parts;
    const { longestIdle, idleSinceMs, idle, size } = fleet;
    const { instanceMiB, templateMiB } = template.holding;
    const { never, last } = kept.promised;
    const free = Math.min(idle, size - never);
    if (longestIdle && idleSinceMs !== undefined && free > 0) {
      return {
        ...this.#standing(nowMs),
        rung: 'instance',
        held: size <= last,
        savedMs: pace.startMs,
        memoryMiB: instanceMiB,
        lastUsedMs: idleSinceMs,
        mostInstances: free,
        mostMiB: free * instanceMiB + (free === size ? templateMiB : 0),
        evict: () => fleet.dismiss(longestIdle),
      };
    }
    if (template.restingSinceMs === undefined) return undefined;
    return {
      ...this.#standing(nowMs),
      rung: 'template',
      held: last > 0,
      savedMs: template.bootMs,
      memoryMiB: templateMiB,
      lastUsedMs: template.restingSinceMs,
      mostInstances: 0,
      mostMiB: templateMiB,
      evict: () => template.close('template made room'),
    };
  }

  #standing(nowMs: number) {
    const { capacityClass, activity } = this;
    return { class: capacityClass, activeMinutes: activity.minutes(nowMs), inflation: activity.inflation };
  }
}
