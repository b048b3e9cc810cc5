import type { Timer } from '../kernel/mod.ts';
import {
  autoscale,
  autoscalerState,
  EMPTY_MEAN,
  GRACE_TO_ZERO_MS,
  keep,
  MAX_SCALE_DOWN_RATE,
  MAX_SCALE_UP_RATE,
  meanOf,
  PANIC_WINDOW_MS,
  recordMean,
  STABLE_WINDOW_MS,
  TARGET_BURST_CAPACITY,
  TICK_MS,
} from '../policy/mod.ts';
import type { AutoscalerSpec, AutoscalerState, KeptState, MeanWindow } from '../policy/mod.ts';
import { DEFAULT_SCALING } from './deployment.ts';
import type { Deployment, Scaling } from './deployment.ts';
import type { KeptStats } from './engine.ts';
import type { Fleet } from './fleet.ts';
import type { Line } from './line.ts';
import { Load } from './load.ts';
import type { Member } from './member.ts';
import type { Pool } from './pool.ts';
import type { BootOutcome } from './template-slot.ts';
import type { Unasked } from './unasked.ts';
import { Upkeep } from './upkeep.ts';

const STABLE_STEPS = STABLE_WINDOW_MS / TICK_MS;
const PANIC_STEPS = PANIC_WINDOW_MS / TICK_MS;

/** Whether instances of a pool are kept ahead of demand: where there is a minimum, and where each runs several invocations at a time. */
export const isKept = ({ minInstances, provisioned }: Scaling, concurrency: number): boolean =>
  concurrency > 1 || minInstances > 0 || provisioned > 0;

/**
 * How many instances of a pool are kept: the loop around `autoscale`. It ticks while there is load, or more is kept than there must be;
 * otherwise nothing runs for it. No invocation waits for a tick: the pool forks for those without a free slot by itself.
 */
export class Kept {
  /** Whether this pool keeps any; if not, nothing here has an effect. */
  active = false;
  readonly #pool: Pool;
  readonly #fleet: Fleet;
  readonly #upkeep: Upkeep;
  readonly #concurrency: number;
  readonly #load = new Load();
  #scaling = DEFAULT_SCALING;
  #most = Infinity;
  #state: AutoscalerState = autoscalerState(0, 0);
  #kept: KeptState = { wanted: 0, zeroSinceMs: undefined };
  #mean: MeanWindow = EMPTY_MEAN;
  #step = 0;
  #timer: Timer | undefined;
  #excessBurstCapacity = 0;
  #provisionedInvocations = 0;
  #spilloverInvocations = 0;

  constructor(pool: Pool, { fleet, unasked }: { readonly fleet: Fleet; readonly unasked: Unasked }) {
    const { host, template, deployment } = pool;
    this.#pool = pool;
    this.#fleet = fleet;
    this.#concurrency = deployment.spec.concurrency;
    this.#upkeep = new Upkeep({
      label: deployment.spec.label,
      host,
      template,
      fleet,
      need: () => pool.claim,
      waiting: () => pool.waiting.size,
      unasked,
    });
  }

  /** Applies what a deployment says now, to the line too, and returns how many instances there may be. */
  rescale({ maxInstances = Infinity, scaling: given }: Deployment, line: Line): number {
    const { limits, clock } = this.#pool.host;
    const scaling = { ...DEFAULT_SCALING, ...given };
    this.#scaling = scaling;
    this.#most = Math.min(maxInstances, scaling.maxInstances ?? Infinity);
    line.limit({ queueDepth: scaling.queueDepth ?? limits.queueDepth, queueAgeMs: scaling.queueAgeMs ?? limits.queueAgeMs });
    this.#fleet.keepAliveMs = scaling.scaleDownDelayMs ?? limits.keepAliveMs;
    const active = isKept(scaling, this.#concurrency);
    if (active && !this.active) this.#state = autoscalerState(this.#fleet.size, clock.monotonicMs());
    if (!active) this.stop();
    this.active = active;
    this.#fleet.reduce(this.#most);
    if (active) {
      this.#decide(Math.max(this.#kept.wanted, this.least));
      // What failed under other settings may not do so under these.
      this.#upkeep.anew();
      if (this.#kept.wanted > this.least) this.#tickLater();
    }
    return this.#most;
  }

  /** What is kept at least. */
  get least(): number {
    return Math.min(Math.max(this.#scaling.minInstances, this.#scaling.provisioned), this.#most);
  }

  /** How many there are to be, whatever a warming policy says. */
  get wanted(): number {
    return this.#kept.wanted;
  }

  /** So many run or wait now. Only while it is active; on the way of each invocation. */
  change(level: number, nowMs: number): void {
    if (!this.#timer) this.#tickLater();
    this.#load.change(level, nowMs);
  }

  /** One has ended; `sound`: as it should. The rest as `change` has it. */
  ended(level: number, nowMs: number, sound: boolean): void {
    this.change(level, nowMs);
    if (sound) this.#upkeep.succeeded();
  }

  /** One more has begun, `running` with it. */
  began(warm: boolean, running: number): void {
    const { provisioned } = this.#scaling;
    if (provisioned === 0) return;
    if (warm && running <= provisioned * this.#concurrency) this.#provisionedInvocations++;
    else this.#spilloverInvocations++;
  }

  /** So many never make room for others, and so many only after everything that rests anywhere. */
  get promised(): { readonly never: number; readonly last: number } {
    return this.active ? { never: this.#scaling.provisioned, last: this.least } : NOTHING;
  }

  /** Whether there are to be more than there are. */
  get wantsMore(): boolean {
    return this.active && this.#fleet.size < this.#kept.wanted;
  }

  /** An instance has ended by itself, and is about to be given up. */
  lost(member: Member): void {
    if (this.active) this.#upkeep.lost(member);
  }

  booted(outcome: BootOutcome): void {
    if (this.active) this.#upkeep.booted(outcome);
  }

  /** Something may be to be done that could not be done before. */
  soon(): void {
    if (this.active) this.#upkeep.soon();
  }

  stop(): void {
    this.active = false;
    this.#kept = { wanted: 0, zeroSinceMs: undefined };
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#upkeep.stop();
  }

  get stats(): { readonly kept?: KeptStats } {
    if (!this.active) return {};
    const { size, booting } = this.#fleet;
    const { minInstances, provisioned } = this.#scaling;
    const { failure } = this.#upkeep;
    return {
      kept: {
        wanted: this.#kept.wanted,
        minimum: minInstances,
        requested: provisioned,
        allocated: Math.min(provisioned, size),
        available: Math.min(provisioned, size - booting),
        ...(failure && { failure }),
        provisionedInvocations: this.#provisionedInvocations,
        spilloverInvocations: this.#spilloverInvocations,
        excessBurstCapacity: this.#excessBurstCapacity,
      },
    };
  }

  #tickLater(): void {
    if (this.#timer) return;
    const nowMs = this.#pool.host.clock.monotonicMs();
    // The time without ticks was one without load.
    this.#load.begin(nowMs);
    this.#step = Math.floor(nowMs / TICK_MS);
    this.#arm();
  }

  #arm(): void {
    this.#timer = this.#pool.host.clock.after(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#pool.host.clock.monotonicMs();
    const { stable, panic } = this.#averages(nowMs);
    const { decision, state } = autoscale(this.#spec, this.#state, { instances: this.#fleet.size, load: { stable, panic } }, nowMs);
    this.#state = state;
    this.#excessBurstCapacity = decision!.excessBurstCapacity;
    this.#decide(decision!.instances);
    const settled = this.#load.level === 0 && stable === 0 && this.#kept.wanted === this.least;
    if (settled) this.#timer = undefined;
    else this.#arm();
  }

  #decide(instances: number): void {
    const bounds = { least: this.least, most: this.#most, graceMs: GRACE_TO_ZERO_MS };
    this.#kept = keep(bounds, this.#kept, instances, this.#pool.host.clock.monotonicMs());
    this.#upkeep.want(this.#kept.wanted);
  }

  /** A timer that is late leaves no step out: the load of all was the same, as far as is known. */
  #averages(nowMs: number): { readonly stable: number; readonly panic: number } {
    const average = this.#load.take(nowMs);
    const last = Math.floor(nowMs / TICK_MS);
    for (let step = Math.max(Math.min(this.#step + 1, last), last - STABLE_STEPS + 1); step <= last; step++) {
      this.#mean = recordMean(this.#mean, STABLE_STEPS, step, average);
    }
    this.#step = last;
    return { stable: meanOf(this.#mean, STABLE_STEPS, last)!, panic: meanOf(this.#mean, PANIC_STEPS, last)! };
  }

  get #spec(): AutoscalerSpec {
    return {
      targetValue: this.#concurrency * this.#scaling.targetUtilisation,
      totalValue: this.#concurrency,
      targetBurstCapacity: TARGET_BURST_CAPACITY,
      panicThreshold: this.#scaling.burstMultiple,
      maxScaleUpRate: MAX_SCALE_UP_RATE,
      maxScaleDownRate: MAX_SCALE_DOWN_RATE,
      stableWindowMs: STABLE_WINDOW_MS,
      scaleDownDelayMs: this.#scaling.scaleDownDelayMs ?? 0,
      activationScale: 0,
      reachable: true,
    };
  }
}

const NOTHING = { never: 0, last: 0 } as const;
