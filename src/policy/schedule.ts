import { mayStart } from './admission.ts';
import type { MachineView, Need } from './admission.ts';
import { isClosed, isUsedUp } from './shares.ts';
import type { ShareView } from './shares.ts';

/**
 * Where an invocation goes that has just arrived, or waits first in line. A total function of three views, which are read, never
 * changed; the engine's own objects serve as the views, so that a warm invocation allocates nothing here.
 *
 * The order of the questions is the policy: a share that is used up runs nothing more, not even on an idle instance; an idle
 * instance is better than any start; a start is worth thinking of only where there is room for one more instance; and only then
 * does it matter whether there is a template.
 */
export function schedule(pool: PoolView, share: ShareView, machine: MachineView): Placement {
  if (pool.maxInstances === 0 || isClosed(share)) return 'refuse';
  if (isUsedUp(share)) return share.reserved ? 'waitForReservation' : 'waitForAccount';
  if (pool.available > 0) return 'warm';
  if (pool.instances >= pool.maxInstances) return 'waitForFunction';
  if (!mayStart(pool.claim, machine)) return 'waitForHost';
  switch (pool.stage) {
    case 'ready':
      return 'fork';
    case 'booting':
      return 'waitForBoot';
    case 'none':
      return 'boot';
    case 'failed':
      return pool.mayRetryBoot() ? 'boot' : 'fail';
  }
}

export type Placement =
  /** On an instance that is there. */
  | 'warm'
  /** On an instance forked for it. */
  | 'fork'
  /** In the queue, and the template must be booted. */
  | 'boot'
  | 'waitForBoot'
  /** For an invocation of the function, of any version, to end. */
  | 'waitForReservation'
  /** For an instance of this version to be free. */
  | 'waitForFunction'
  | 'waitForAccount'
  | 'waitForHost'
  /** The last init failed too recently to try again: the same error. */
  | 'fail'
  /** The function may not run at all. */
  | 'refuse';

export type TemplateStage = 'none' | 'booting' | 'ready' | 'failed';

/** One deployment. */
export interface PoolView {
  /** What one more instance takes. */
  readonly claim: Need;
  /** Instances that can take an invocation now. */
  readonly available: number;
  readonly instances: number;
  /** Infinity: only what the share allows. */
  readonly maxInstances: number;
  readonly stage: TemplateStage;
  /** Asked only when the stage is `failed`. */
  mayRetryBoot(): boolean;
}
