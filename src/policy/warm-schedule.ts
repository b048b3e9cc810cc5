/** Scheduled warming: how many instances there are to be at a time, by windows that each begin on a schedule. */
import type { Schedule } from './cron.ts';

/** From each time of `schedule` on, for `forMs`, that many instances. */
export type WarmWindow = { readonly schedule: Pick<Schedule, 'next' | 'previous'>; readonly forMs: number; readonly instances: number };

export type ScheduledWarmth = {
  /** Of windows that are open at the same time the one with most decides. */
  readonly instances: number;
  /** Until then nothing changes; undefined: nothing ever will. */
  readonly untilMs: number | undefined;
};

/** Windows that follow each other without a gap are one long one; so many are looked at ahead. */
const MERGED_WINDOWS = 16;

export function scheduledWarmth(windows: readonly WarmWindow[], nowMs: number): ScheduledWarmth {
  let instances = 0;
  let untilMs: number | undefined;
  for (const window of windows) {
    const endMs = openUntil(window, nowMs);
    if (endMs !== undefined) instances = Math.max(instances, window.instances);
    const changesMs = endMs ?? window.schedule.next(nowMs);
    if (changesMs !== undefined) untilMs = Math.min(untilMs ?? Infinity, changesMs);
  }
  return { instances, untilMs };
}

/** When a window that is open closes; undefined: it is not open. */
function openUntil({ schedule, forMs }: WarmWindow, nowMs: number): number | undefined {
  const beganMs = schedule.previous(nowMs);
  if (beganMs === undefined || beganMs + forMs <= nowMs) return undefined;
  let lastMs = beganMs;
  for (let merged = 0; merged < MERGED_WINDOWS; merged++) {
    const nextMs = schedule.next(lastMs);
    if (nextMs === undefined || nextMs > lastMs + forMs) break;
    lastMs = nextMs;
  }
  return lastMs + forMs;
}
