/** The numbers behind a plan, for whoever asks why something is kept or not. */
import { BINS, beginsMs } from './bins.ts';
import type { Explanation, Stretch } from './policy.ts';
import { costOf, savingOf } from './worth.ts';
import type { Rungs, Span } from './worth.ts';

export type Known = {
  readonly rungs: Rungs;
  readonly spans: readonly Span[];
  /** For each bin, the chance that a call comes in it when none has come before; undefined: there was no call yet. */
  readonly chances: Float64Array | undefined;
  readonly calls: number;
  readonly lastMs: number;
  readonly nowMs: number;
  readonly priceMiBSeconds: number;
};

export function explained(known: Known): Explanation {
  const { calls, chances, lastMs, nowMs } = known;
  const stretches = known.spans.filter((span) => span.untilMs > nowMs).map((span) => stretchOf(known, span));
  return {
    policy: 'hazard',
    reason: reasonOf(known, stretches[0]!),
    calls,
    lastCallMs: calls > 0 ? lastMs : undefined,
    next: chances && nextOf(chances, lastMs, nowMs),
    stretches,
  };
}

function stretchOf({ rungs, nowMs, priceMiBSeconds }: Known, span: Span): Stretch {
  const fromMs = Math.max(nowMs, span.fromMs);
  // What is not held is told as what an instance would have saved and cost.
  const rung = span.rung === 'nothing' ? 'instance' : span.rung;
  return {
    ...span,
    fromMs,
    savingMiBSeconds: savingOf(rungs, rung, span.chance, priceMiBSeconds),
    costMiBSeconds: costOf(rungs, rung, (span.untilMs - fromMs) / 1_000),
  };
}

function reasonOf({ calls }: Known, first: Stretch): string {
  const chance = `${(first.chance * 100).toFixed(first.chance < 0.1 ? 1 : 0)} %`;
  const sides = `that is worth ${first.savingMiBSeconds.toFixed(0)} MiB s`;
  if (first.rung === 'nothing') {
    if (calls === 0 && first.untilMs === Infinity) return 'it has never been called, and nothing says when it will be';
    if (first.untilMs === Infinity) return 'no call is expected any more';
    return `nothing is held: the chance of a call before the next change is ${chance}, ${sides}, less than an instance costs`;
  }
  return `${first.rung === 'instance' ? 'an instance' : 'the template'} is held: the chance of a call until the next change is ${chance}, ${sides}, against ${first.costMiBSeconds.toFixed(0)} MiB s for memory`;
}

/** When the next call comes, given that none has come until now. Infinity: later than is looked ahead. */
function nextOf(chances: Float64Array, lastMs: number, nowMs: number): Explanation['next'] {
  const at = (part: number): number => {
    let none = 1;
    for (let bin = 0; bin < BINS; bin++) {
      const beginMs = Math.max(nowMs, lastMs + beginsMs(bin));
      const endMs = lastMs + beginsMs(bin + 1);
      if (endMs <= nowMs) continue;
      const before = none;
      none *= 1 - chances[bin]!;
      if (1 - none >= part) return beginMs + ((endMs - beginMs) * (part - (1 - before))) / (before - none);
    }
    return Infinity;
  };
  return { p10Ms: at(0.1), medianMs: at(0.5), p90Ms: at(0.9) };
}
