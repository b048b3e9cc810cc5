/**
 * Who waits for an instance that is at work, when another could be set to work too. An instance is forked in milliseconds, and still
 * not for nothing: it has to compile its code and to warm its caches, and it takes its time on the processors from those that answer.
 * A function that answers in 0.1 ms is served by four instances sooner than by sixty-four; one that takes 100 ms wants an instance for
 * each caller. Two questions tell them apart, and both go by how long an invocation takes: what is known of earlier ones or, where
 * that is more, how long those that run now have been at it. So a function that was always fast and hangs today is noticed before
 * any of its invocations has ended.
 *
 * The estimates may be wrong. Therefore whoever applies them also asks the clock: an invocation that has waited longer than about
 * `startMs` gets an instance, unless a limit forbids one, or instances are `crowded`, which they are only as long as their
 * invocations, on average, run for less than `startMs`. No invocation waits behind those that don't answer.
 */

/**
 * Whether it is sooner served by one of those at work than by a fork. Those in line are served by all slots together, so the last of
 * them waits about `(waiting + 1) * service time / slots`.
 */
export function worthWaiting(line: Line): boolean {
  if (line.serviceMs === undefined || line.instances <= 0) return false;
  const slots = line.instances * line.concurrency;
  return ((line.waiting + 1) * Math.max(line.serviceMs, line.elapsedMs)) / slots < line.startMs || crowded(line);
}

/**
 * Whether one more instance at work, be it forked or woken, would only slow the others: the processors have enough to do, and those
 * at work answer faster than an instance starts. More of them at once would each take longer, and the line would be no shorter.
 */
export function crowded(work: Work): boolean {
  if (work.serviceMs === undefined || work.busy < ENOUGH_PER_PROCESSOR * work.processors) return false;
  return Math.max(work.serviceMs, work.elapsedMs) < work.startMs;
}

/**
 * Whether those in line are better off in the hands of an instance that is still at work, which then goes from one to the next without
 * waiting for the host: where invocations are so short that the way between the two is a good part of what they take.
 */
export function worthHandingAhead(line: Line): boolean {
  return line.concurrency === 1 && line.serviceMs !== undefined && line.serviceMs < HANDED_AHEAD_MS && crowded(line);
}

/** How many of `waiting` an instance may have in hand, so that each has its share. */
export function mostAhead(waiting: number, instances: number): number {
  return Math.min(MOST_AHEAD, Math.ceil(waiting / Math.max(1, instances)));
}

export type Work = {
  /** Instances that run something. */
  readonly busy: number;
  readonly processors: number;
  /** What an invocation takes on a warm instance; undefined: none has ended yet. */
  readonly serviceMs: number | undefined;
  /** How long those that run now have been running, on average. */
  readonly elapsedMs: number;
  /** What a fork costs its first invocation: `startCostMs`. */
  readonly startMs: number;
};

export type Line = Work & {
  /** Invocations that wait already. */
  readonly waiting: number;
  readonly instances: number;
  /** Invocations that one instance runs at a time. */
  readonly concurrency: number;
};

/**
 * How many instances may be set to work at once for those who have waited: as many as are at work, so that their number doubles with
 * every `startMs` as long as nobody answers. A machine that has only caught its breath for some milliseconds answers again after the
 * first step, and is spared a fork for everyone in line.
 */
export function mostMoreAtOnce(work: Pick<Work, 'busy' | 'processors'>): number {
  return Math.max(work.busy, ENOUGH_PER_PROCESSOR * work.processors);
}

/**
 * What it costs an invocation to be the first of an instance: `firstMs`, its duration counted from the fork, without what it would have
 * taken on a warm one. Undefined: not measured yet.
 */
export function startCostMs(firstMs: number | undefined, serviceMs: number | undefined): number {
  if (firstMs === undefined) return DEFAULT_MS;
  return Math.min(MOST_MS, Math.max(LEAST_MS, firstMs - (serviceMs ?? 0)));
}

/** One to work, one on its way to or from the host. */
export const ENOUGH_PER_PROCESSOR = 2;

/** Behind longer invocations than this a wait is worse than the way is long. */
const HANDED_AHEAD_MS = 2;
export const MOST_AHEAD = 4;

const DEFAULT_MS = 3;
/** Below this a timer can't tell, above it nobody is kept waiting, however slow the machine. */
const LEAST_MS = 1;
const MOST_MS = 50;
