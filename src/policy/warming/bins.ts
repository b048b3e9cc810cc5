/**
 * How gaps between calls are told apart. Schedules are in whole minutes, so a bin is a minute around a whole number of them: a call
 * every five minutes that comes a second early and a second late stays in one bin. From 48 minutes on bins grow by 8 %; what is
 * longer than two days is in none. Gaps below half a minute are one bin: nothing is dropped and loaded again within that time.
 */
export const MINUTE_MS = 60_000;
const EXACT_MINUTES = 48;
const MOST_MINUTES = 2_880;
const GROWTH = 1.08;

/** Where bins begin, in minutes; the last entry is where the last one ends. */
export const EDGES: Float64Array = edges();
export const BINS = EDGES.length - 1;
/** The bin of what came in less than half a minute. */
export const SHORT = 0;

export const WIDTHS: Float64Array = Float64Array.from({ length: BINS }, (_, bin) => EDGES[bin + 1]! - EDGES[bin]!);

/** How long a bin's gaps are, roughly, in steps of the square root of 2: what bins of different lengths are compared by. */
export const SIZES: Uint8Array = Uint8Array.from({ length: BINS }, (_, bin) => size(EDGES[bin]! + 0.5));
export const SIZE_COUNT = SIZES.at(-1)! + 1;

/** `BINS` for what is longer than any. */
export function binOf(gapMs: number): number {
  const minutes = Math.floor(gapMs / MINUTE_MS + 0.5);
  if (minutes <= EXACT_MINUTES) return Math.max(0, minutes);
  return minutes < BY_MINUTE.length ? BY_MINUTE[minutes]! : BINS;
}

/** When a bin begins after the call that the gap is counted from. */
export function beginsMs(bin: number): number {
  return EDGES[bin]! * MINUTE_MS;
}

function edges(): Float64Array {
  const found = [0];
  for (let minute = 1; minute <= EXACT_MINUTES + 1; minute++) found.push(minute - 0.5);
  for (let edge = found.at(-1)!; edge < MOST_MINUTES;) {
    edge += Math.round((edge + 0.5) * (GROWTH - 1));
    found.push(edge);
  }
  return Float64Array.from(found);
}

function size(minutes: number): number {
  return minutes <= 3 ? Math.floor(minutes) : Math.round(Math.log2(minutes) * 2);
}

const BY_MINUTE = byMinute();

function byMinute(): Uint8Array {
  const bins = new Uint8Array(Math.floor(EDGES[BINS]! + 0.5));
  for (let bin = 0; bin < BINS; bin++) bins.fill(bin, Math.floor(EDGES[bin]! + 0.5), Math.floor(EDGES[bin + 1]! + 0.5));
  return bins;
}
