/**
 * Where an invocation goes that has just arrived, or waits first in line. A total function of two views, which are read, never
 * changed; the engine's own objects serve as the views, so that a warm invocation allocates nothing here.
 *
 * The order of the questions is the policy: an account at its limit runs nothing more, not even on an idle instance; an idle
 * instance is better than any start; a start is worth thinking of only where there is room for one more instance; and only then
 * does it matter whether there is a template.
 */
export function schedule(pool: PoolView, host: HostView): Placement {
  if (pool.maxInstances === 0) return 'refuse';
  if (host.running >= host.maxRunning) return 'waitForAccount';
  if (pool.available > 0) return 'warm';
  if (pool.instances >= pool.maxInstances) return 'waitForFunction';
  if (host.instances >= host.maxInstances && !host.canEvict()) return 'waitForHost';
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
  /** Instances that can take an invocation now. */
  readonly available: number;
  readonly instances: number;
  /** Infinity: only the account's limit. */
  readonly maxInstances: number;
  readonly stage: TemplateStage;
  /** Asked only when the stage is `failed`. */
  mayRetryBoot(): boolean;
}

/** All deployments together. */
export interface HostView {
  /** Invocations that run now. */
  readonly running: number;
  readonly maxRunning: number;
  readonly instances: number;
  readonly maxInstances: number;
  /** Whether some deployment has an idle instance that could make room. Asked only at the limit. */
  canEvict(): boolean;
}
