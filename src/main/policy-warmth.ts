/** What the warming policy makes of a function, in a form that JSON can have. */
import type { WarmingView } from '../engine/mod.ts';
import type { PolicyWarmth } from '../protocol/mod.ts';

export function policyWarmth(view: WarmingView | undefined): PolicyWarmth | null {
  if (!view) return null;
  const { explanation, held, plan, rungs } = view;
  const { instance, template } = rungs;
  const { next, stretches } = explanation;
  const templateMiB = held === 'nothing' ? 0 : (template?.memoryMiB ?? 0);
  return {
    name: explanation.policy,
    held,
    reason: explanation.reason,
    calls: explanation.calls,
    lastCallMs: explanation.lastCallMs ?? null,
    next: next ? { p10Ms: finite(next.p10Ms), medianMs: finite(next.medianMs), p90Ms: finite(next.p90Ms) } : null,
    plan: plan.map(({ atMs, rung }) => ({ atMs: Math.round(atMs), rung })),
    stretches: stretches.map(({ rung, fromMs, untilMs, chance, savingMiBSeconds, costMiBSeconds }) => ({
      rung,
      fromMs: Math.round(fromMs),
      untilMs: finite(untilMs),
      chance,
      savingMiBSeconds,
      costMiBSeconds: finite(costMiBSeconds),
    })),
    instanceMiB: tenths(instance.memoryMiB),
    templateMiB: template ? tenths(template.memoryMiB) : null,
    instanceSavesMs: tenths(instance.savedMs),
    templateSavesMs: template ? tenths(template.savedMs) : null,
    heldMiB: tenths(templateMiB + (held === 'instance' ? instance.memoryMiB : 0)),
  };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? Math.round(value) : null);
const tenths = (value: number): number => Math.round(value * 10) / 10;
