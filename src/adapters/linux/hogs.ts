/**
 * Who gives way on processors that are all at work. The kernel lets a process that wakes up wait for the tick of whoever computes there: a
 * function that answers in a millisecond would take five beside one that computes for seconds. So what has been computing for a while in one
 * invocation, a hog, yields: whatever wakes goes before it at once. Whoever yields weighs next to nothing, which has two bounds here. Hogs of
 * different weights don't yield one by one: among themselves they would all get the same. And where others leave them nothing they get their
 * turn, for as long as they had to wait. What begins where a hog was a moment ago yields from its beginning: it may be the same again, and some
attacks last no longer than it takes to find them. To the rest of the machine functions yield only where hogs take nearly all of it.
 */

/** A hog has used so much of a processor since its invocation was first looked at. */
const HOG_MS = 10;
/** Of the time of all processors: as long as so much of it is left nobody waits for one. */
const PLENTY = 0.25;
/** Hogs that yield have enough where they get so much of the time of all processors. */
const ENOUGH = 0.25;
/** Where they have so much of it there is nobody else on the machine to whom functions would lose by yielding. */
const MOST = 0.6;
/** When somebody else has come, it is not tried again for so long. */
const REST_MS = 1_000;

/** Since the last look. */
export type Period = {
  readonly ms: number;
  readonly processors: number;
  /** Of all processors together. */
  readonly idleMs: number;
};

export type Yielding = {
  /** All functions together yield to the host, and to whatever else the machine does. */
  readonly all: boolean;
  /** Each hog yields to the functions beside it. */
  readonly each: boolean;
  /** How much longer `all` is not tried. */
  readonly restMs: number;
};

export const NOBODY: Yielding = { all: false, each: false, restMs: 0 };

export const isHog = (usedMs: number): boolean => usedMs >= HOG_MS;

/** Whether processors are scarce, so that it is of use to look for hogs. */
export const isScarce = ({ ms, processors, idleMs }: Period): boolean => idleMs < PLENTY * processors * ms;

export type Hogs = {
  /** What they have used in this period, all together. */
  readonly ranMs: number;
  /** Of each. */
  readonly weights: readonly number[];
};

/** `before`: how it was in this period. */
export function whoYields(period: Period, { ranMs, weights }: Hogs, before: Yielding): Yielding {
  const share = ranMs / (period.processors * period.ms);
  const scarce = isScarce(period);
  const restMs = Math.max(0, before.restMs - period.ms);
  if (weights.length === 0) return { ...NOBODY, restMs };
  const disturbed = before.all && scarce && share < MOST;
  const starved = before.each && scarce && share < ENOUGH;
  const alike = weights.every((weight) => weight === weights[0]);
  return {
    all: !disturbed && restMs === 0 && (before.all || share >= MOST),
    each: alike && !starved,
    restMs: disturbed ? REST_MS : restMs,
  };
}
