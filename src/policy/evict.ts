/**
 * The candidate that has rested longest, or undefined when none rests. `restingSinceMs`: monotonic time, undefined for one that is
 * in use. Ties go to the first.
 */
export function leastRecentlyUsed<T extends Resting>(candidates: Iterable<T>): T | undefined {
  let best: T | undefined;
  let bestMs = Infinity;
  for (const candidate of candidates) {
    const sinceMs = candidate.restingSinceMs;
    if (sinceMs === undefined || sinceMs >= bestMs) continue;
    best = candidate;
    bestMs = sinceMs;
  }
  return best;
}

export type Resting = { readonly restingSinceMs: number | undefined };
