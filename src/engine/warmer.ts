import type { Timer } from '../kernel/mod.ts';
import { HEIGHT, shortageOf, TRIGGERS } from '../policy/mod.ts';
import type { Explanation, FunctionWarming, Plan, Rung, Trigger, WarmedFunction } from '../policy/mod.ts';
import type { StartKind } from '../ports/mod.ts';
import type { ExpectedCalls } from './deployment.ts';
import type { Fleet } from './fleet.ts';
import type { Kept } from './kept.ts';
import type { Pool } from './pool.ts';
import { EXPECTED } from './starts.ts';
import type { Unasked } from './unasked.ts';
import type { Planner, Warming } from './warming.ts';

export type WarmerParts = { readonly fleet: Fleet; readonly kept: Kept; readonly unasked: Unasked; readonly startMs: () => number };

/** What is held of a function now, for how long, and why. */
export type WarmingView = {
  readonly held: Rung;
  /** Empty while it is at work. */
  readonly plan: Plan;
  readonly explanation: Explanation;
  /** What its rungs take and save, as measured. */
  readonly rungs: Pick<WarmedFunction, 'instance' | 'template'>;
};

// In the policy's time, which `Warming` may have go faster than the host's: what a policy takes for a pause or for one call must not depend on that.

/** A function that is called again within that time has never been idle: nobody is asked what to do with it. */
const SETTLED_MS = 1_000;
/** What goes on for so long without a pause is told as more than one call. */
const TOGETHER_MS = 20_000;
/** Plans may be for days ahead; a clock may be set meanwhile. */
const LONGEST_WAIT_MS = 10 * 60_000;
/** Before anything was measured: a small function's, in the host's time. */
const FIRST_BOOT_MS = 100;

/**
 * The loop around a warming policy, for one deployment: tells it of calls, asks it for a plan when none has come for a moment, and holds what
 * the plan says: an instance, the template, or nothing. What others' need of room has taken stays away until the plan loads it anew.
 */
export class Warmer implements Planner {
  readonly #pool: Pool;
  readonly #warming: Warming;
  readonly #parts: WarmerParts;
  #known: FunctionWarming | undefined;
  #expected: ExpectedCalls | undefined;
  #trigger: Trigger = 'others';
  #state: 'busy' | 'resting' | 'stopped' = 'resting';
  // By the host's clock: they are noted on the way of each invocation.
  #toldMs = 0;
  #lastMs = 0;
  #idleSinceMs = 0;
  #plan: Plan = [];
  #step = 0;
  #held: Rung = 'nothing';
  /** An instance is to be made as soon as there is a template. */
  #loading = false;
  #settling: Timer | undefined;
  #next: Timer | undefined;

  constructor(pool: Pool, warming: Warming, parts: WarmerParts) {
    this.#pool = pool;
    this.#warming = warming;
    this.#parts = parts;
    this.#expected = pool.deployment.calls;
    // Whoever makes the pool is not through with it.
    if (warming.knows(this.#id) || this.#expected?.schedule) queueMicrotask(() => this.#resume());
  }

  /**
   * An invocation begins. On the way of each: where the function was at work anyway it only notes the time. That is when it arrived: who calls when
   * is what a policy learns, and not how long a cold start takes.
   */
  began(kind: StartKind, arrivedMs: number, trigger?: string): void {
    this.#lastMs = arrivedMs;
    if (this.#state !== 'resting') return;
    this.#state = 'busy';
    this.#held = 'instance';
    this.#loading = false;
    this.#next?.cancel();
    const known = TRIGGERS.find((one) => one === trigger) ?? 'others';
    if (!this.#known || known !== this.#trigger) {
      this.#trigger = known;
      this.#known = this.#warming.open(this.#subject, this);
    }
    this.#tell(arrivedMs, kind === 'boot' || kind === 'spawn');
  }

  /** Nothing runs any more, and nothing waits. */
  idle(nowMs: number): void {
    this.#idleSinceMs = nowMs;
    if (this.#state === 'busy') this.#settling ??= this.#clock.after(SETTLED_MS, () => this.#settled());
  }

  /** A template is ready, whoever wanted it. */
  booted(ok: boolean): void {
    if (!this.#loading) return;
    this.#loading = false;
    if (ok) this.#load();
  }

  /** Something else is known of its calls beforehand. */
  expect(calls: ExpectedCalls | undefined): void {
    if (this.#state === 'stopped' || calls === this.#expected) return;
    this.#expected = calls;
    if (!this.#known && !calls?.schedule) return;
    this.#known = this.#warming.open(this.#subject, this);
    this.replan();
  }

  /** The policy expects something else now. */
  replan(): void {
    if (this.#state === 'resting' && this.#pool.load === 0) this.#ask();
  }

  stop(): void {
    this.#state = 'stopped';
    this.#settling?.cancel();
    this.#next?.cancel();
    this.#warming.leave(this.#id, this);
    this.#parts.fleet.hold(0);
  }

  get wantsMore(): boolean {
    return this.#state === 'resting' && this.#held !== 'nothing';
  }

  /** Undefined: it was never called. */
  get view(): WarmingView | undefined {
    if (!this.#known) return undefined;
    const nowMs = this.#clock.now();
    this.#measure();
    const { instance, template } = this.#rungs;
    return {
      held: this.#heldNow,
      plan: this.#state === 'busy' ? [] : this.#plan.slice(this.#step),
      explanation: this.#known.explain(nowMs),
      rungs: { instance, ...(template && { template }) },
    };
  }

  get #heldNow(): Rung {
    if (this.#pool.instances > 0) return 'instance';
    return this.#pool.stage === 'ready' ? 'template' : 'nothing';
  }

  get #id(): string {
    return this.#pool.deployment.spec.label;
  }

  get #clock() {
    return this.#warming.clock;
  }

  /** What it costs to hold it and what that saves, as far as it was measured. */
  get #rungs(): WarmingView['rungs'] {
    const { template } = this.#pool;
    const { costs } = this.#expected ?? {};
    if (costs && this.#warming.speed !== 1) return costs;
    const { holding, bootMs } = template;
    const savedMs = bootMs || FIRST_BOOT_MS;
    return {
      instance: { memoryMiB: holding.instanceMiB, savedMs: savedMs + this.#parts.startMs() },
      ...(template.snapshot?.forks !== false && { template: { memoryMiB: holding.templateMiB, savedMs } }),
    };
  }

  /**
   * The same for the policy, in whose time starts last longer by its speed: that is how long ahead they are to begin. It does not weigh them against
   * memory otherwise than before, as a cold start's price is by the start and not by the second, and MiB seconds are all of its time.
   */
  get #subject(): WarmedFunction {
    const { instance, template } = this.#rungs;
    const { speed } = this.#warming;
    return {
      id: this.#id,
      app: this.#expected?.application ?? '',
      trigger: this.#trigger,
      instance: { ...instance, savedMs: instance.savedMs * speed },
      ...(template && { template: { ...template, savedMs: template.savedMs * speed } }),
      ...(this.#expected?.schedule && { schedule: this.#expected.schedule }),
    };
  }

  /** A first plan goes by what it takes, too, and not by what others do. */
  #measure(): void {
    if (!this.#pool.template.holding.isMeasured) this.#pool.claim.measure();
  }

  /** Something is known of it from before. */
  #resume(): void {
    const { deployment, host } = this.#pool;
    // A pool that nobody else sees is there for one refusal.
    if (this.#state !== 'resting' || this.#known || host.pools.get(deployment.id) !== this.#pool) return;
    this.#known = this.#warming.open(this.#subject, this);
    this.replan();
  }

  #tell(atMs: number, cold: boolean): void {
    this.#toldMs = atMs;
    this.#warming.called(this.#id);
    const expected = this.#known!.called({ atMs: this.#epochMs(atMs), cold });
    if (expected.length > 0) this.#warming.expect(expected);
  }

  /** Of a moment by the host's monotonic clock. */
  #epochMs(monotonicMs: number): number {
    return Math.round(this.#clock.now() - (this.#clock.monotonicMs() - monotonicMs * this.#warming.speed));
  }

  #settled(): void {
    this.#settling = undefined;
    // When it is idle again this begins anew.
    if (this.#pool.load > 0) return;
    const { speed } = this.#warming;
    const leftMs = this.#idleSinceMs * speed + SETTLED_MS - this.#clock.monotonicMs();
    if (leftMs >= 1) {
      this.#settling = this.#clock.after(leftMs, () => this.#settled());
      return;
    }
    if ((this.#lastMs - this.#toldMs) * speed > TOGETHER_MS) this.#tell(this.#lastMs, false);
    this.#measure();
    this.#known!.update(this.#subject);
    this.#state = 'resting';
    this.#ask();
  }

  #ask(): void {
    const nowMs = this.#clock.now();
    this.#plan = this.#known!.plan(nowMs);
    this.#step = 0;
    this.#proceed(true);
  }

  /** `asked`: the plan is new. */
  #proceed(asked: boolean): void {
    this.#next?.cancel();
    if (this.#state !== 'resting' || this.#pool.load > 0) return;
    const nowMs = this.#clock.now();
    while ((this.#plan[this.#step + 1]?.atMs ?? Infinity) <= nowMs) this.#step++;
    const next = this.#plan[this.#step + 1];
    // Whoever has come to the end of a plan of several steps asks for another.
    if (!next && this.#step > 0 && !asked) return this.#ask();
    this.#hold(this.#plan[this.#step]?.rung ?? 'nothing');
    if (next) this.#next = this.#clock.after(Math.min(LONGEST_WAIT_MS, Math.max(1, next.atMs - nowMs)), () => this.#proceed(false));
  }

  #hold(rung: Rung): void {
    const { fleet, kept } = this.#parts;
    const { template } = this.#pool;
    const loads = HEIGHT[rung] > HEIGHT[this.#held];
    this.#held = rung;
    fleet.hold(rung === 'instance' ? 1 : 0);
    template.hold(rung !== 'nothing');
    if (rung === 'instance') {
      if (loads) this.#load();
      return;
    }
    this.#loading = false;
    fleet.reduce(kept.wanted);
    if (kept.wanted > 0 || this.#pool.instances > 0) return;
    if (rung === 'nothing') {
      if (template.stage === 'ready') template.close('no call was expected');
    } else if (loads && template.stage === 'none' && this.#hasRoom) template.boot(EXPECTED);
  }

  #load(): void {
    const { fleet } = this.#parts;
    const { template } = this.#pool;
    if (this.#state !== 'resting' || this.#held !== 'instance' || fleet.size > 0 || !this.#hasRoom) return;
    if (template.stage === 'ready') this.#parts.unasked.fork(this.#clock.monotonicMs(), EXPECTED);
    else {
      this.#loading = true;
      if (template.stage === 'none') template.boot(EXPECTED);
    }
  }

  /** What may or may not be called takes nothing from others. */
  get #hasRoom(): boolean {
    const { claim, host } = this.#pool;
    return !host.draining && shortageOf(claim, host.room) === undefined;
  }
}
