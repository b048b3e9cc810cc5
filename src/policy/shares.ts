/**
 * Concurrency that is reserved, as on Lambda ("Configuring reserved concurrency for a function"): a function's reservation is the most of its
 * invocations that run at a time, all versions together, and is kept free for it. All functions without one have what is left of the account.
 */

/** What an invocation takes its place in: its function's reservation, or what all functions without one have together. */
export interface ShareView {
  readonly reserved: boolean;
  /** Invocations that run now. More than may: what ran when it was made smaller comes to its end. */
  readonly running: number;
  readonly maxRunning: number;
}

export const isUsedUp = ({ running, maxRunning }: ShareView): boolean => running >= maxRunning;

/** Whether it is there to keep a function from running. */
export const isClosed = ({ reserved, maxRunning }: ShareView): boolean => reserved && maxRunning === 0;

/** What functions without a reservation have: what is left, and not less than `least`, where more is reserved than there is by now. */
export function unreservedOf(maxRunning: number, least: number, reservations: Iterable<Pick<ShareView, 'maxRunning'>>): number {
  let left = maxRunning;
  for (const reservation of reservations) left -= reservation.maxRunning;
  return Math.max(least, left);
}
