/**
 * When more comes than the machine can do, which it is only known by that those who wait do so for longer and longer: then some are refused
 * at once, so that the others are served in time and their callers can go elsewhere while it is of use to them.
 *
 * That there is an overload is told as CoDel does it (K. Nichols, V. Jacobson, "Controlling Queue Delay", ACM Queue 2012): a burst makes a
 * line that goes away again, an overload one that stands. So the wait must have been over a bound at each look for a whole interval. How
 * many are refused follows from Little's law: what was begun in the interval says how many can be served within the bound, and the rest
 * need not wait for nothing. Who: the newest of the lowest class first, as the oldest is next to be served and has paid for it; classes as in
 * DAGOR (H. Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018). It ends when nobody has waited for more
 * than half of the bound, and begins anew with a whole interval: that is the hysteresis.
 */
import { CAPACITY_CLASSES } from './capacity.ts';
import type { CapacityClass } from './capacity.ts';

export type ShedLimits = {
  /** How long one may wait for room on the machine before it counts as overloaded; and the same where it is short of memory or processors. */
  readonly waitMs: number;
  readonly pressedWaitMs: number;
  /** For how long that must last. */
  readonly intervalMs: number;
};

export const SHED_LIMITS: ShedLimits = { waitMs: 5_000, pressedWaitMs: 2_000, intervalMs: 1_000 };

/** What a look finds of those who wait for the machine, and not for a limit of their own function. */
export type ShedLook = {
  /** By class. */
  readonly waiting: Waiting;
  /** The longest wait of all that wait now. */
  readonly longestMs: number;
  /** Invocations that have begun since the look before. */
  readonly begun: number;
  /** Invocations that run now: each may end at any moment, and make room for one that waits. */
  readonly running: number;
  /** So many starts can be under way at once (`bootsAtOnce`): on a machine that is slow, so few who wait are no overload, and one less makes nothing quicker. */
  readonly atOnce: number;
  /** The machine is short of memory or of processors. */
  readonly pressed: boolean;
};

export type Waiting = Readonly<Record<CapacityClass, number>>;

export type ShedState = {
  readonly lookedMs: number;
  /** Since when the wait has been over the bound at each look. */
  readonly overSinceMs: number | undefined;
  readonly shedding: boolean;
  /** What begins in a millisecond, averaged over looks. */
  readonly perMs: number;
};

/** `nowMs` and all else in monotonic time. */
export const calm = (nowMs: number): ShedState => ({ lookedMs: nowMs, overSinceMs: undefined, shedding: false, perMs: 0 });

/** The state after a look, and how many are to be refused of each class. */
export function shed(
  state: ShedState,
  look: ShedLook,
  nowMs: number,
  limits: ShedLimits,
): { readonly state: ShedState; readonly refuse: Waiting } {
  const boundMs = look.pressed ? limits.pressedWaitMs : limits.waitMs;
  const next = stateAfter(state, look, nowMs, { boundMs, intervalMs: limits.intervalMs });
  if (!next.shedding) return { state: next, refuse: NOBODY };
  const kept = Math.max(1, look.running, look.atOnce, Math.ceil(next.perMs * boundMs));
  return { state: next, refuse: lowestFirst(look.waiting, totalOf(look.waiting) - kept) };
}

/** Takes `excess` of those who wait, and of a class nobody as long as one of a lower class waits. */
export function lowestFirst(waiting: Waiting, excess: number): Waiting {
  const refuse: Record<CapacityClass, number> = { ...NOBODY };
  let left = excess;
  for (const capacityClass of CAPACITY_CLASSES.toReversed()) {
    const here = Math.max(0, Math.min(left, waiting[capacityClass]));
    refuse[capacityClass] = here;
    left -= here;
  }
  return refuse;
}

export const NOBODY: Waiting = { reserved: 0, standard: 0, spot: 0 };

function stateAfter(
  state: ShedState,
  look: ShedLook,
  nowMs: number,
  bounds: { readonly boundMs: number; readonly intervalMs: number },
): ShedState {
  const passedMs = Math.max(1, nowMs - state.lookedMs);
  const weight = Math.min(1, passedMs / bounds.intervalMs);
  const perMs = state.perMs + weight * (look.begun / passedMs - state.perMs);
  const endMs = state.shedding ? bounds.boundMs / 2 : bounds.boundMs;
  const over = totalOf(look.waiting) > 0 && look.longestMs > endMs;
  const overSinceMs = over ? (state.overSinceMs ?? nowMs) : undefined;
  const lasts = overSinceMs !== undefined && nowMs - overSinceMs >= bounds.intervalMs;
  return { lookedMs: nowMs, overSinceMs, shedding: over && (state.shedding || lasts), perMs };
}

const totalOf = ({ reserved, standard, spot }: Waiting): number => reserved + standard + spot;
