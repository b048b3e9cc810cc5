/**
 * Who goes first when memory runs out. `value`: the start time that holding saves, by how often it does so, for each MiB; `greedy-dual`: the same
 * with ageing, as FaasCache has it (Fuerst and Sharma, ASPLOS 2021); `lru`: what was used longest ago.
 */
import type { EvictionOrder } from './policy.ts';

/** Something that is held and not in use. */
export type Evictable = {
  readonly memoryMiB: number;
  /** What the next call would take longer without it. */
  readonly savedMs: number;
  readonly lastUsedMs: number;
  /** Minutes in which it was called, old ones counting less: see `activeMinutes`. */
  readonly activeMinutes: number;
  /** For `greedy-dual`: what `inflation` was when it was last used. */
  readonly inflation: number;
};

/** The higher, the longer it stays. With `greedy-dual`, the score of what was evicted is the host's inflation from then on. */
export function retention(order: EvictionOrder, held: Evictable): number {
  const perMiB = (held.activeMinutes * held.savedMs) / Math.max(LEAST_MIB, held.memoryMiB);
  switch (order) {
    case 'lru':
      return held.lastUsedMs;
    case 'greedy-dual':
      return held.inflation + perMiB;
    case 'value':
      return perMiB;
  }
}

/** Whether one goes before another; of equals the one that was used longest ago. */
export function leavesBefore(order: EvictionOrder, one: Evictable, other: Evictable): boolean {
  const difference = retention(order, one) - retention(order, other);
  return difference === 0 ? one.lastUsedMs < other.lastUsedMs : difference < 0;
}

/** The one to evict. Undefined: there is none. */
export function evictedFirst<T extends Evictable>(order: EvictionOrder, candidates: Iterable<T>): T | undefined {
  return firstOf(candidates, (one, other) => leavesBefore(order, one, other));
}

/** The first of those that no other comes before. */
export function firstOf<T>(candidates: Iterable<T>, before: (one: T, other: T) => boolean): T | undefined {
  let first: T | undefined;
  for (const candidate of candidates) if (first === undefined || before(candidate, first)) first = candidate;
  return first;
}

/** The minutes with calls up to now, each of which counts half as much after `HALF_LIFE_MS`. `before`: as of `beforeMs`, with the last call. */
export function activeMinutes(before: number, beforeMs: number, nowMs: number): number {
  const kept = agedMinutes(before, beforeMs, nowMs);
  return Math.floor(nowMs / MINUTE_MS) === Math.floor(beforeMs / MINUTE_MS) ? kept : kept + 1;
}

/** So many minutes as of `thenMs`, as they count at `nowMs`. */
export const agedMinutes = (minutes: number, thenMs: number, nowMs: number): number => minutes * 0.5 ** ((nowMs - thenMs) / HALF_LIFE_MS);

/** What takes less is not that much better. */
const LEAST_MIB = 0.25;
const MINUTE_MS = 60_000;
const HALF_LIFE_MS = 24 * 60 * MINUTE_MS;
