const MINUTE_MS = 60_000;

/** Calls by minute, of exact arrivals in order: as traces have them. */
export function countsOf(arrivalsMs: Float64Array): [minute: number, calls: number][] {
  const counts: [number, number][] = [];
  for (const atMs of arrivalsMs) {
    const minute = Math.floor(atMs / MINUTE_MS);
    const last = counts.at(-1);
    if (last?.[0] === minute) last[1]++;
    else counts.push([minute, 1]);
  }
  return counts;
}
