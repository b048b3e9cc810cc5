/** Where a declared schedule's calls are waited for. Such a call is used, not predicted: it teaches nothing about the others. */
import type { KnownSchedule } from './policy.ts';

export type Window = { readonly tickMs: number; readonly fromMs: number; readonly untilMs: number };

/** The tick that a call belongs to, other than `doneMs` and those before, if it belongs to one. */
export function tickOf(schedule: KnownSchedule, atMs: number, leadMs: number, doneMs: number): number | undefined {
  const tickMs = schedule.nextMs(Math.max(doneMs, atMs - schedule.jitterMs - LAG_MS));
  return tickMs !== undefined && tickMs - leadMs <= atMs ? tickMs : undefined;
}

/** The next windows that are not over at `nowMs`, of ticks after `doneMs`. */
export function windowsOf(schedule: KnownSchedule, nowMs: number, leadMs: number, doneMs: number): readonly Window[] {
  const found: Window[] = [];
  let afterMs = Math.max(doneMs, nowMs - schedule.jitterMs - LAG_MS);
  while (found.length < WINDOWS) {
    const tickMs = schedule.nextMs(afterMs);
    if (tickMs === undefined) break;
    found.push({ tickMs, fromMs: tickMs - leadMs, untilMs: tickMs + schedule.jitterMs + LAG_MS });
    afterMs = tickMs;
  }
  return found;
}

/** A call is on its way for a while. */
const LAG_MS = 5_000;
/** How many ticks a plan foresees. */
const WINDOWS = 4;
/** What part of the ticks of a schedule are calls: it may have been switched off, and a host may be down. */
export const TICK_CHANCE = 0.95;
/** A rung is loaded that much before the call, and as long as it takes. */
export const LEAD_MS = 1_000;
