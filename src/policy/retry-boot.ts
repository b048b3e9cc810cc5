const FIRST_MS = 100;
const LAST_MS = 10_000;

/**
 * How long after the latest of `failures` failed boots in a row the next may be tried: 100 ms, doubling up to 10 s. Meanwhile
 * callers get the failure that is known: a function that can't start must not take the machine with it.
 */
export function bootRetryDelayMs(failures: number): number {
  if (failures <= 0) return 0;
  return Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 30));
}
