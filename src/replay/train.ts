/**
 * What functions have in common, learnt from a whole trace at once, also from the gaps that had not ended when it did. A function with
 * a schedule teaches twice: what it would look like had nobody declared it, and what comes beside the schedule.
 */
import { binOf, Gaps, Population, SHORT } from '../policy/mod.ts';
import type { Trace, TraceFunction } from './trace.ts';

export function trained(trace: Trace): Population {
  const population = new Population();
  for (const traced of trace.functions) {
    teach(population, traced, trace.minutes, false);
    if (traced.schedule !== undefined) teach(population, traced, trace.minutes, true);
  }
  return population;
}

function teach(population: Population, traced: TraceFunction, minutes: number, scheduled: boolean): void {
  const gaps = new Gaps();
  const learn = (gap: number, censored: boolean) => {
    const bin = binOf(gap * MINUTE_MS);
    population.learn({ last: gaps.at(0), before: gaps.at(1), scheduled, trigger: traced.trigger }, bin, censored, SHORT + 1);
    gaps.add(bin, censored);
  };
  let last: number | undefined;
  for (const [minute] of traced.counts) {
    if (last !== undefined) learn(minute - last, scheduled && atTick(traced, minute));
    last = minute;
  }
  if (last !== undefined) learn(minutes - last, true);
}

function atTick({ schedule }: TraceFunction, minute: number): boolean {
  const { periodMs, phaseMs, jitterMs } = schedule!;
  const lateMs = minute * MINUTE_MS - phaseMs;
  return lateMs >= 0 && lateMs % periodMs <= jitterMs;
}

const MINUTE_MS = 60_000;
