/** What is held of one function of a trace while a plan is carried out, and what that comes to. */
import { activeMinutes, HEIGHT, memoryOf } from '../policy/mod.ts';
import type { Evictable, FunctionWarming, KnownSchedule, Plan, Rung, Step, WarmedFunction, WarmingPolicy } from '../policy/mod.ts';
import type { SimulateOptions } from './result.ts';
import type { TraceFunction, TraceSchedule } from './trace.ts';

export class Held implements Evictable {
  readonly subject: WarmedFunction;
  readonly memoryMiB: number;
  readonly savedMs: number;
  lastUsedMs = 0;
  activeMinutes = 0;
  inflation = 0;
  /** What is counted. */
  calls = 0;
  activeMinutesCounted = 0;
  /** Starts that found an instance, a template or nothing; not those of calls that overlap with others. */
  starts = 0;
  coldStarts = 0;
  templateStarts = 0;
  firstTouches = 0;
  memoryMiBSeconds = 0;
  /** How long a call takes. */
  readonly runsMs: number;
  /** Until then it is at work. */
  busyUntilMs = -Infinity;

  readonly #policy: WarmingPolicy;
  #warming: FunctionWarming | undefined;
  #plan: Plan = NOTHING;
  #step = 0;
  #evicted = false;
  #accountedMs = 0;
  /** What was loaded last is there from then on; until then it is `below`. */
  #loading: { readonly readyMs: number; readonly below: Rung } = { readyMs: -Infinity, below: 'nothing' };
  readonly #wholeMinutes: boolean;
  readonly #fromMs: number;

  constructor(policy: WarmingPolicy, traced: TraceFunction, options: SimulateOptions) {
    this.#policy = policy;
    this.subject = subjectOf(traced, options);
    this.memoryMiB = memoryOf(this.subject, 'instance');
    this.savedMs = this.subject.instance.savedMs;
    this.runsMs = traced.durationMs.average;
    this.#wholeMinutes = options.resolution === 'minutes';
    this.#fromMs = (options.fromMinute ?? 0) * MINUTE_MS;
  }

  get touched(): boolean {
    return this.#warming !== undefined;
  }

  /** A call needs an instance. True: there is nothing to get one from. */
  begin(nowMs: number, counted: boolean): boolean {
    const rung = this.#readyAt(nowMs);
    if (counted) {
      this.starts++;
      if (!this.touched) this.firstTouches++;
      else if (rung === 'nothing') this.coldStarts++;
      else if (rung === 'template') this.templateStarts++;
    }
    return rung === 'nothing';
  }

  count(calls: number, minute: boolean): void {
    this.calls += calls;
    if (minute) this.activeMinutesCounted++;
  }

  /** Returns the functions that are now expected. */
  called(atMs: number, cold: boolean, inflation: number): readonly string[] {
    this.activeMinutes = this.touched ? activeMinutes(this.activeMinutes, this.lastUsedMs, atMs) : 1;
    this.lastUsedMs = atMs;
    this.inflation = inflation;
    this.#evicted = false;
    this.#loading = { readyMs: -Infinity, below: 'nothing' };
    this.#warming ??= this.#policy.open(this.subject);
    return this.#warming.called({ atMs, cold });
  }

  planAt(nowMs: number): void {
    this.#plan = this.#warming?.plan(nowMs) ?? NOTHING;
    this.#step = 0;
  }

  /** When the plan is to be asked for again; Infinity: it holds until the next call. */
  get planEndsMs(): number {
    return this.#plan.length > 1 ? this.#plan.at(-1)!.atMs : Infinity;
  }

  /** Times may only go up. */
  rungAt(nowMs: number): Rung {
    while (true) {
      const next = this.#plan[this.#step + 1];
      if (next !== undefined && next.atMs <= nowMs) {
        this.#step++;
        this.#load(next, this.#plan[this.#step - 1]!.rung);
        // It is loaded again; whether there is room will be seen.
        if (next.rung !== 'nothing' && this.#plan[this.#step - 1]!.rung === 'nothing') this.#evicted = false;
      } else if (next === undefined && this.#plan.length > 1) {
        this.planAt(this.#plan.at(-1)!.atMs);
      } else {
        return this.#evicted ? 'nothing' : this.#plan[this.#step]!.rung;
      }
    }
  }

  /** Whoever comes while a rung is being loaded waits for that start, as if it had been made for him. Whole minutes are too long to see it. */
  #readyAt(nowMs: number): Rung {
    const rung = this.rungAt(nowMs);
    const { readyMs, below } = this.#loading;
    return this.#wholeMinutes || nowMs >= readyMs || HEIGHT[below] >= HEIGHT[rung] ? rung : below;
  }

  #load({ atMs, rung }: Step, from: Rung): void {
    if (HEIGHT[rung] <= HEIGHT[from]) return;
    const below = atMs < this.#loading.readyMs ? this.#loading.below : from;
    this.#loading = { readyMs: atMs + this.#savedMs(rung) - this.#savedMs(from), below };
  }

  #savedMs(rung: Rung): number {
    return rung === 'nothing' ? 0 : (this.subject[rung]?.savedMs ?? 0);
  }

  memoryAt(nowMs: number): number {
    return this.busyUntilMs > nowMs ? this.memoryMiB : memoryOf(this.subject, this.rungAt(nowMs));
  }

  /** Adds what was held since it was last accounted for. Where minutes are counted whole, this is done elsewhere. */
  account(nowMs: number): void {
    if (this.#wholeMinutes) return;
    let atMs = this.#accountedMs;
    while (atMs < nowMs) {
      const memoryMiB = this.memoryAt(atMs);
      const changesMs = this.busyUntilMs > atMs ? this.busyUntilMs : (this.#plan[this.#step + 1]?.atMs ?? Infinity);
      const untilMs = Math.min(nowMs, changesMs);
      this.memoryMiBSeconds += (memoryMiB * Math.max(0, untilMs - Math.max(atMs, this.#fromMs))) / 1_000;
      atMs = untilMs;
    }
    this.#accountedMs = Math.max(atMs, nowMs);
  }

  evict(): void {
    this.#evicted = true;
  }
}

function subjectOf(
  { id, app, trigger, memoryMiB, initMs, schedule, template: known }: TraceFunction,
  options: SimulateOptions,
): WarmedFunction {
  const savedMs = initMs ?? options.initMs ?? DEFAULT_INIT_MS;
  const parts = options.template;
  const template = known ?? (parts && { memoryMiB: memoryMiB * parts.memoryPart, savedMs: savedMs * parts.savedPart });
  return {
    id,
    app,
    trigger,
    instance: { memoryMiB: memoryMiB - (template?.memoryMiB ?? 0), savedMs },
    ...(template && { template }),
    ...(schedule && options.schedules === 'known' && { schedule: knownSchedule(schedule) }),
  };
}

export function knownSchedule({ periodMs, phaseMs, jitterMs }: TraceSchedule): KnownSchedule {
  const nextMs = (afterMs: number) => phaseMs + Math.max(0, Math.floor((afterMs - phaseMs) / periodMs) + 1) * periodMs;
  return { nextMs, jitterMs };
}

const MINUTE_MS = 60_000;
export const DEFAULT_INIT_MS = 500;
const NOTHING: Plan = [{ atMs: 0, rung: 'nothing' }];
