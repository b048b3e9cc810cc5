import { rankOf } from './capacity.ts';
import type { CapacityClass } from './capacity.ts';
import { firstOf, leavesBefore } from './warming/mod.ts';
import type { Evictable, EvictionOrder } from './warming/mod.ts';

/**
 * Who makes room when memory, or the number of instances, has come to its limit. A class goes before the next higher one, and what its
 * function is promised (`held`) after all that is not; among those of one class the score decides that the simulator goes by too: `retention`.
 *
 * A function goes down rung by rung: its template is no candidate as long as it has an instance.
 */
export type Candidate = Evictable & {
  readonly class: CapacityClass;
  readonly rung: 'instance' | 'template';
  /** It is there because its function is promised so many. */
  readonly held: boolean;
};

/** Whether a function of one class may have what an idle one of another class keeps: all may, but spot takes nothing from reserved. */
export const mayEvict = (needs: CapacityClass, has: CapacityClass): boolean => needs !== 'spot' || has !== 'reserved';

/** The one to go first, or undefined where there is none. Ties go to the one that was used longer ago, then to the first. */
export function firstToGo<T extends Candidate>(candidates: Iterable<T>, order: EvictionOrder): T | undefined {
  return firstOf(candidates, (one, other) => goesBefore(one, other, order));
}

function goesBefore(one: Candidate, other: Candidate, order: EvictionOrder): boolean {
  if (one.held !== other.held) return other.held;
  const classes = rankOf(one.class) - rankOf(other.class);
  if (classes !== 0) return classes > 0;
  return leavesBefore(order, one, other);
}
