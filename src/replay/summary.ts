/** What a run comes to. */
import type { Held } from './held.ts';
import type { Result } from './result.ts';

export function summary(policy: string, held: readonly Held[], evictions: number): Result {
  const sum = (of: (one: Held) => number) => held.reduce((total, one) => total + of(one), 0);
  const again = held.filter((one) => one.starts > one.firstTouches);
  const percents = again.map((one) => (100 * one.coldStarts) / (one.starts - one.firstTouches)).sort((a, b) => a - b);
  return {
    policy,
    functions: held.filter((one) => one.touched).length,
    calls: sum((one) => one.calls),
    activeMinutes: sum((one) => one.activeMinutesCounted),
    coldStarts: sum((one) => one.coldStarts),
    templateStarts: sum((one) => one.templateStarts),
    firstTouches: sum((one) => one.firstTouches),
    coldPercent: { p50: percentile(percents, 50), p75: percentile(percents, 75), p90: percentile(percents, 90) },
    memoryMiBSeconds: sum((one) => one.memoryMiBSeconds),
    p99DelayMs: p99DelayMs(again),
    evictions,
    perFunction: held.map((one) => ({
      id: one.subject.id,
      coldStarts: one.coldStarts,
      templateStarts: one.templateStarts,
      activeMinutes: one.activeMinutesCounted,
      memoryMiBSeconds: one.memoryMiBSeconds,
    })),
  };
}

/** The value that so many of a hundred don't exceed; 0 of none. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
}

function p99DelayMs(held: readonly Held[]): number {
  const delays = held.flatMap((one) => [
    { ms: one.savedMs, starts: one.coldStarts },
    { ms: Math.max(0, one.savedMs - (one.subject.template?.savedMs ?? 0)), starts: one.templateStarts },
  ]);
  let left = held.reduce((total, one) => total + one.starts - one.firstTouches, 0) / 100;
  for (const { ms, starts } of delays.sort((a, b) => b.ms - a.ms)) {
    left -= starts;
    if (left < 0) return ms;
  }
  return 0;
}
