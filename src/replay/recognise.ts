/**
 * A trace says which functions a timer calls, not how it is set. Where the calls show it without doubt, this is what whoever deployed the function
 * has declared. It is for traces that don't say it; a platform is told its schedules.
 */
import type { Trace, TraceFunction, TraceSchedule } from './trace.ts';

/** The trace, with the schedules of its timers as far as they can be told. What has one keeps it. */
export function recognised(trace: Trace): Trace {
  return { ...trace, functions: trace.functions.map((traced) => withSchedule(traced, trace.minutes)) };
}

function withSchedule(traced: TraceFunction, minutes: number): TraceFunction {
  if (traced.schedule !== undefined || traced.trigger !== 'timer' || traced.counts.length < LEAST_CALLS) return traced;
  const schedule = scheduleOf(
    traced.counts.map(([minute]) => minute),
    minutes,
  );
  return schedule === undefined ? traced : { ...traced, schedule };
}

/** The longest period that explains the calls, without jitter where that is enough. */
function scheduleOf(active: readonly number[], minutes: number): TraceSchedule | undefined {
  const set = new Set(active);
  let best: { readonly schedule: TraceSchedule; readonly score: number } | undefined;
  for (const period of PERIODS_MINUTES) {
    for (const jitter of period > 1 ? [0, 1] : [0]) {
      for (let phase = 0; phase < Math.min(period, minutes); phase++) {
        const score = fit(set, { period, phase, jitter, minutes }) - jitter * JITTER_COSTS;
        if (score <= (best?.score ?? 0)) continue;
        const jitterMs = (jitter + 1) * MINUTE_MS - 1;
        best = { score, schedule: { periodMs: period * MINUTE_MS, phaseMs: phase * MINUTE_MS, jitterMs } };
      }
    }
  }
  return best?.schedule;
}

/** What part of the ticks is called at, and what part of the calls is at a tick; 0 where either is too little. */
function fit(active: ReadonlySet<number>, { period, phase, jitter, minutes }: Grid): number {
  let ticks = 0;
  let answered = 0;
  let covered = 0;
  for (let tick = phase; tick < minutes; tick += period) {
    const calls = (active.has(tick) ? 1 : 0) + (jitter > 0 && active.has(tick + 1) ? 1 : 0);
    ticks++;
    covered += calls;
    if (calls > 0) answered++;
  }
  const [ofTicks, ofCalls] = [answered / ticks, covered / active.size];
  return Math.min(ofTicks, ofCalls) >= LEAST_FIT ? ofTicks + ofCalls : 0;
}

type Grid = { readonly period: number; readonly phase: number; readonly jitter: number; readonly minutes: number };

const MINUTE_MS = 60_000;
const LEAST_CALLS = 3;
const LEAST_FIT = 0.9;
const JITTER_COSTS = 0.05;
/** Those that divide an hour or a day, as timers are set. */
const PERIODS_MINUTES = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1_440];
