/**
 * The hazard policy. While nobody calls a function, the chance that the next call comes now rises and falls: it is high in the first minute,
 * high again after five if the function is called every five minutes, and low in between. A rung is held exactly while that chance
 * times the price of a cold start is more than its memory costs; it is loaded again ahead of a call that is likely enough.
 *
 * The chance comes from the function's own gaps (gaps.ts), leaning on what all functions have in common (population.ts). Declared
 * schedules and calls by parents are added to that.
 */
import { BINS, beginsMs, binOf, SHORT, WIDTHS } from './bins.ts';
import { EXPECTED_MS } from './children.ts';
import { explained } from './explain.ts';
import { Habits } from './habits.ts';
import type { Context, Population } from './population.ts';
import type { Call, Explanation, FunctionWarming, Plan, Rung, WarmedFunction } from './policy.ts';
import { LEAD_MS, TICK_CHANCE, tickOf, windowsOf } from './scheduled.ts';
import { bestRung, overlay, planOf } from './worth.ts';
import type { Span } from './worth.ts';

/** What the functions of one host share. */
export type HazardHost = {
  readonly priceMiBSeconds: number;
  readonly population: Population;
  readonly functions: Map<string, HazardFunction>;
  /** Of each application the functions that were called last. */
  readonly recent: Map<string, HazardFunction[]>;
};

export class HazardFunction implements FunctionWarming {
  readonly #host: HazardHost;
  #subject: WarmedFunction;
  #habits: Habits;
  /** The chance that no call comes within the first `SOON` bins, as of the last plan. */
  #leftSoon = 1;
  /** Until when a parent's start makes a call likely, and how likely. */
  #expected = { untilMs: -Infinity, chance: 0 };

  constructor(host: HazardHost, subject: WarmedFunction, saved: Uint8Array | undefined) {
    this.#host = host;
    this.#subject = subject;
    this.#habits = (saved && Habits.read(saved)) ?? new Habits();
    host.functions.set(subject.id, this);
  }

  called({ atMs, parent }: Call): readonly string[] {
    const habits = this.#habits;
    const schedule = this.#subject.schedule;
    const tickMs = schedule && tickOf(schedule, atMs, this.#leadMs(), habits.tickMs);
    if (habits.calls > 0) {
      const bin = binOf(atMs - habits.lastMs);
      const censored = tickMs !== undefined;
      this.#host.population.learn(this.#context(), bin, censored);
      habits.gaps.add(bin, censored);
    }
    this.#tellParents(atMs, parent);
    habits.called(atMs, tickMs);
    this.#expected = { untilMs: -Infinity, chance: 0 };
    return this.#tellChildren(atMs);
  }

  plan(nowMs: number): Plan {
    const soon = this.#habits.calls > 0 && nowMs < this.#habits.lastMs + beginsMs(SOON);
    if (!soon) return planOf(this.#spans(nowMs, BINS), nowMs);
    const plan = planOf(this.#spans(nowMs, SOON), nowMs);
    // What is asked again anyway need not look further than the next call is likely to come; most functions are called often.
    return plan.length > 1 && this.#leftSoon < UNLIKELY ? plan : planOf(this.#spans(nowMs, BINS), nowMs);
  }

  explain(nowMs: number): Explanation {
    const { calls, lastMs } = this.#habits;
    const { priceMiBSeconds } = this.#host;
    const chances = calls > 0 ? this.#chances(BINS).slice() : undefined;
    return explained({ rungs: this.#subject, spans: this.#spans(nowMs, BINS), chances, calls, lastMs, nowMs, priceMiBSeconds });
  }

  update(subject: WarmedFunction): void {
    this.#subject = subject;
  }

  save(): Uint8Array {
    return this.#habits.write();
  }

  close(): void {
    const { id, app } = this.#subject;
    this.#host.functions.delete(id);
    const recent = this.#host.recent.get(app);
    if (recent === undefined) return;
    const others = recent.filter((one) => one !== this);
    if (others.length > 0) this.#host.recent.set(app, others);
    else this.#host.recent.delete(app);
  }

  /** A parent has started. True: that is worth holding something for. */
  expect(atMs: number, chance: number): boolean {
    if (bestRung(this.#subject, chance, EXPECTED_MS / 1_000, this.#host.priceMiBSeconds) === 'nothing') return false;
    this.#expected = { untilMs: atMs + EXPECTED_MS, chance };
    return true;
  }

  #tellParents(atMs: number, told: string | undefined): void {
    const { id, app } = this.#subject;
    const parent = told === undefined || told === id ? undefined : this.#host.functions.get(told);
    if (parent !== undefined) parent.#habits.children.followed(id, atMs, true);
    const recent = this.#host.recent.get(app) ?? [];
    for (const one of recent) {
      if (one !== this && one !== parent && this.#habits.lastMs < one.#habits.lastMs) one.#habits.children.followed(id, atMs, false);
    }
    if (recent[0] === this) return;
    this.#host.recent.set(app, [this, ...recent.filter((one) => one !== this)].slice(0, MOST_RECENT));
  }

  #tellChildren(atMs: number): readonly string[] {
    const { children } = this.#habits;
    children.started(atMs);
    const expected = children.expected();
    if (expected.length === 0) return NONE;
    return expected.filter(({ id, chance }) => this.#host.functions.get(id)?.expect(atMs, chance)).map(({ id }) => id);
  }

  /** From the last call on, or from now, without holes and without end. */
  #spans(nowMs: number, bins: number): readonly Span[] {
    let spans = this.#habits.calls > 0 ? this.#waiting(bins) : [{ rung: 'nothing', fromMs: nowMs, untilMs: Infinity, chance: 0 } as const];
    const { untilMs, chance } = this.#expected;
    if (untilMs > nowMs) spans = this.#over(spans, { fromMs: untilMs - EXPECTED_MS, untilMs, chance });
    const { schedule } = this.#subject;
    if (schedule === undefined) return spans;
    for (const window of windowsOf(schedule, nowMs, this.#leadMs(), this.#habits.tickMs)) {
      spans = this.#over(spans, { fromMs: window.fromMs, untilMs: window.untilMs, chance: TICK_CHANCE });
    }
    return spans;
  }

  #over(spans: readonly Span[], window: Omit<Span, 'rung'>): readonly Span[] {
    const seconds = (window.untilMs - window.fromMs) / 1_000;
    const rung = bestRung(this.#subject, window.chance, seconds, this.#host.priceMiBSeconds);
    return rung === 'nothing' ? spans : overlay(spans, { ...window, rung });
  }

  /** What the gaps say: a span for as many bins as hold the same. */
  #waiting(bins: number): readonly Span[] {
    const chances = this.#chances(bins);
    const { lastMs } = this.#habits;
    const spans: Span[] = [];
    let rung = this.#rungOf(chances, SHORT);
    // Nothing is dropped and loaded again within half a minute.
    if (rung === 'nothing') rung = this.#rungOf(chances, SHORT + 1);
    let from = SHORT;
    let none = 1;
    this.#leftSoon = 1;
    for (let bin = SHORT + 1; bin <= bins; bin++) {
      none *= 1 - chances[bin - 1]!;
      if (bin <= SOON) this.#leftSoon *= 1 - chances[bin - 1]!;
      const next = bin < bins ? this.#rungOf(chances, bin) : undefined;
      if (next === rung) continue;
      spans.push({ rung, fromMs: lastMs + beginsMs(from), untilMs: lastMs + beginsMs(bin), chance: 1 - none });
      from = bin;
      none = 1;
      if (next !== undefined) rung = next;
    }
    spans.push({ rung: 'nothing', fromMs: lastMs + beginsMs(bins), untilMs: Infinity, chance: 0 });
    return spans;
  }

  #rungOf(chances: Float64Array, bin: number): Rung {
    return bestRung(this.#subject, chances[bin]!, WIDTHS[bin]! * 60, this.#host.priceMiBSeconds);
  }

  /** Valid until the next function is asked. */
  #chances(bins: number): Float64Array {
    this.#host.population.chances(this.#context(), CHANCES, bins);
    this.#habits.gaps.refine(CHANCES, bins);
    return CHANCES;
  }

  #context(): Context {
    const { gaps } = this.#habits;
    const { trigger, schedule } = this.#subject;
    return { last: gaps.at(0), before: gaps.at(1), scheduled: schedule !== undefined, trigger };
  }

  #leadMs(): number {
    return LEAD_MS + this.#subject.instance.savedMs;
  }
}

const CHANCES = new Float64Array(BINS);
const SOON = 16;
const UNLIKELY = 0.05;
const MOST_RECENT = 8;
const NONE: readonly never[] = [];
