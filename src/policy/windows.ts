/**
 * Windows over a load that is looked at again and again: its mean, and its maximum. A time is a whole number of steps of whatever
 * length; a window of so many steps ends with the latest. Values in, new values out: nothing is changed in place.
 */

/** What was recorded in one step. */
type Bucket = { readonly step: number; readonly sum: number; readonly count: number };

export type MeanWindow = { readonly firstStep: number; readonly buckets: readonly Bucket[] };

export const EMPTY_MEAN: MeanWindow = { firstStep: 0, buckets: [] };

/** Several values of one step count as their mean. Steps more than `size` back are forgotten. */
export function recordMean(window: MeanWindow, size: number, step: number, value: number): MeanWindow {
  const kept = window.buckets.filter((bucket) => bucket.step > step - size && bucket.step < step);
  const same = window.buckets.find((bucket) => bucket.step === step);
  const bucket = { step, sum: (same?.sum ?? 0) + value, count: (same?.count ?? 0) + 1 };
  return { firstStep: window.buckets.length === 0 ? step : window.firstStep, buckets: [...kept, bucket] };
}

/**
 * The mean of the `size` steps up to `step`. A step without a value counts as zero, but not one before the first of all: what has just
 * begun is not taken for little. Undefined: there is no value in the window.
 */
export function meanOf({ firstStep, buckets }: MeanWindow, size: number, step: number): number | undefined {
  const within = buckets.filter((bucket) => bucket.step > step - size && bucket.step <= step);
  if (within.length === 0) return undefined;
  const total = within.reduce((sum, bucket) => sum + bucket.sum / bucket.count, 0);
  return total / Math.min(size, step - firstStep + 1);
}

/**
 * The values that are the maximum now, or will be when those before them are too old: a value as large as earlier ones hides them for
 * as long as they would count. So they descend, the first is the maximum, and there are never more than steps in the window.
 */
export type MaxWindow = readonly { readonly step: number; readonly value: number }[];

/** `step` is not before those recorded already. */
export function recordMax(window: MaxWindow, size: number, step: number, value: number): MaxWindow {
  const larger = window.filter((each) => each.value > value && each.step > step - size);
  return larger.at(-1)?.step === step ? larger : [...larger, { step, value }];
}

export function maxOf(window: MaxWindow): number {
  return window[0]?.value ?? 0;
}
