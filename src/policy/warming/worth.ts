/**
 * What is held in a stretch of time: whichever rung brings most, the price of the part of a cold start that it saves times the chance
 * of a call, less what its memory costs. Nothing brings nothing and costs nothing.
 */
import { MAX_STEPS } from './policy.ts';
import type { Plan, Rung, Step, Stretch, WarmedFunction } from './policy.ts';

export type Rungs = Pick<WarmedFunction, 'instance' | 'template'>;

/** `priceMiBSeconds`: what one cold start is worth. */
export function bestRung(rungs: Rungs, chance: number, seconds: number, priceMiBSeconds: number): Rung {
  if (rungs.template === undefined) return chance * priceMiBSeconds > rungs.instance.memoryMiB * seconds ? 'instance' : 'nothing';
  const asInstance = savingOf(rungs, 'instance', chance, priceMiBSeconds) - costOf(rungs, 'instance', seconds);
  const asTemplate = savingOf(rungs, 'template', chance, priceMiBSeconds) - costOf(rungs, 'template', seconds);
  if (asInstance > 0 && asInstance >= asTemplate) return 'instance';
  return asTemplate > 0 ? 'template' : 'nothing';
}

export function savingOf(rungs: Rungs, rung: Rung, chance: number, priceMiBSeconds: number): number {
  return partSaved(rungs, rung) * chance * priceMiBSeconds;
}

/** What part of a cold start a rung saves: an instance all of it. */
export function partSaved({ instance, template }: Rungs, rung: Rung): number {
  if (rung !== 'template') return rung === 'instance' ? 1 : 0;
  return template === undefined || instance.savedMs <= 0 ? 0 : Math.min(1, template.savedMs / instance.savedMs);
}

export function costOf(rungs: Rungs, rung: Rung, seconds: number): number {
  return rung === 'nothing' ? 0 : memoryOf(rungs, rung) * seconds;
}

export function memoryOf({ instance, template }: Rungs, rung: Rung): number {
  if (rung === 'nothing') return 0;
  return (template?.memoryMiB ?? 0) + (rung === 'instance' ? instance.memoryMiB : 0);
}

/** A stretch of time in which one rung is held. */
export type Span = Pick<Stretch, 'rung' | 'fromMs' | 'untilMs' | 'chance'>;

/** Spans in which at least `over.rung` is held during its time. `spans` are in order, without holes. */
export function overlay(spans: readonly Span[], over: Span): readonly Span[] {
  return spans.flatMap((span) => {
    const fromMs = Math.max(span.fromMs, over.fromMs);
    const untilMs = Math.min(span.untilMs, over.untilMs);
    if (fromMs >= untilMs || HEIGHT[over.rung] < HEIGHT[span.rung]) return [span];
    const parts = [
      { ...span, untilMs: fromMs },
      { ...over, fromMs, untilMs },
      { ...span, fromMs: untilMs },
    ];
    return parts.filter((part) => part.fromMs < part.untilMs);
  });
}

/** The plan that spans come to, from `nowMs` on. More steps than a plan may have are left for the next one. */
export function planOf(spans: readonly Span[], nowMs: number): Plan {
  const steps: Step[] = [];
  let held: Rung | undefined;
  for (const { rung, fromMs, untilMs } of spans) {
    if (untilMs <= nowMs || rung === held) continue;
    const full = steps.length === MAX_STEPS - 1;
    held = full ? 'nothing' : rung;
    steps.push({ atMs: Math.max(nowMs, fromMs), rung: held });
    if (full) break;
  }
  return steps;
}

/** Which rung stands above which. */
export const HEIGHT = { nothing: 0, template: 1, instance: 2 } as const;
