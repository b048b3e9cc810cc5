/**
 * Whether there is room for one more, what is short where there is none, and by which of Lambda's reasons a caller is refused. Pure
 * questions over views of those who set limits: a version (`PoolView`), the share that it runs under, an account, and the machine.
 */
import type { CapacityClass } from './capacity.ts';
import { isUsedUp } from './shares.ts';
import type { ShareView } from './shares.ts';

/** All functions of one owner together. A host has one account today; who asks says which. What runs is divided into shares (`ShareView`). */
export interface AccountView {
  /** Invocations that wait for an instance. */
  readonly waiting: number;
  readonly maxWaiting: number;
}

/** What one more instance, or template, takes. */
export interface Need {
  readonly capacityClass: CapacityClass;
  readonly needMiB: number;
}

/** All that runs here. What is taken since the machine was looked at last is accounted for. */
export interface MachineView {
  readonly instances: number;
  readonly maxInstances: number;
  /** What instances and templates are taken to hold, as far as it was measured, and what they may hold. */
  readonly committedMiB: number;
  readonly memoryMiB: number;
  /** What the machine has left, and what is left free of it, because what runs may grow. */
  readonly availableMiB: number;
  readonly floorMiB: number;
  readonly processes: number;
  readonly maxProcesses: number;
  /** Whether enough can be evicted for this need. Asked only where there is a shortage. */
  canMakeRoom(need: Need): boolean;
}

export type Shortage = 'instances' | 'memory' | 'processes';

/** Whether it may be started, for which others may have to go. What is alone has all there is: too low a limit makes things slow, not impossible. */
export const mayStart = (need: Need, machine: MachineView): boolean =>
  machine.instances === 0 || shortageOf(need, machine) === undefined || machine.canMakeRoom(need);

/** What there is not enough of for `need` as things are. */
export function shortageOf(need: Need, machine: MachineView): Shortage | undefined {
  if (machine.instances >= machine.maxInstances) return 'instances';
  if (missingMiB(need.needMiB, machine) > 0) return 'memory';
  return machine.processes >= machine.maxProcesses ? 'processes' : undefined;
}

/** How much has to be given back before `needMiB` fit; not above 0: nothing. */
export const missingMiB = (needMiB: number, { committedMiB, memoryMiB, availableMiB, floorMiB }: MachineView): number =>
  Math.max(committedMiB + needMiB - memoryMiB, floorMiB + needMiB - availableMiB);

/** Lambda's own reasons, and four of a machine's, which Lambda's callers never meet. */
export type ThrottleReason =
  | 'ReservedFunctionConcurrentInvocationLimitExceeded'
  | 'ConcurrentInvocationLimitExceeded'
  | 'FunctionInvocationRateLimitExceeded'
  | 'CallerRateLimitExceeded'
  | 'MachineInstanceLimitExceeded'
  | 'MachineMemoryLimitExceeded'
  | 'MachineProcessLimitExceeded'
  | 'MachineOverloaded';

const OF_MACHINE: Readonly<Record<Shortage, ThrottleReason>> = {
  instances: 'MachineInstanceLimitExceeded',
  memory: 'MachineMemoryLimitExceeded',
  processes: 'MachineProcessLimitExceeded',
};

/** How a version's own limit looks to who waits for it. */
export interface Limited {
  /** What one more instance takes. */
  readonly claim: Need;
  readonly instances: number;
  readonly maxInstances: number;
}

/** Why one that would have to wait, or has waited too long, is refused: the limit nearest to the function that is reached. */
export function throttleReason(pool: Limited, share: ShareView, account: AccountView, machine: MachineView): ThrottleReason {
  const shareIsUsedUp = isUsedUp(share);
  if (pool.instances >= pool.maxInstances || (share.reserved && shareIsUsedUp)) return 'ReservedFunctionConcurrentInvocationLimitExceeded';
  if (shareIsUsedUp) return 'ConcurrentInvocationLimitExceeded';
  const shortage = shortageOf(pool.claim, machine);
  if (shortage !== undefined && !mayStart(pool.claim, machine)) return OF_MACHINE[shortage];
  if (account.waiting >= account.maxWaiting) return 'CallerRateLimitExceeded';
  // No limit keeps it: more come than instances can be started for.
  return 'FunctionInvocationRateLimitExceeded';
}

/** Whether one more may wait. */
export const mayQueue = (queued: number, queueDepth: number, account: AccountView): boolean =>
  queued < queueDepth && account.waiting < account.maxWaiting;

/**
 * How many sandboxes may be on their way at once. A boot computes from its beginning to its end, so that more of them than processors make
 * none of them ready sooner; one more than those keeps them at work while one is at its disk. Where others want the processors too,
 * fewer, so that what is running goes on. `pressure`: for how much of the time somebody waited for a processor, percent (`some avg10`).
 */
export function bootsAtOnce(processors: number, pressure: number | undefined): number {
  const most = processors + 1;
  return pressure !== undefined && pressure >= PRESSED_PERCENT ? Math.max(1, Math.ceil(most / 2)) : most;
}

/** From here on nearly always somebody waits for a processor. */
export const PRESSED_PERCENT = 80;
