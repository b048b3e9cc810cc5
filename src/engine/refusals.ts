import type { Fifo } from '../kernel/mod.ts';
import { throttleReason } from '../policy/mod.ts';
import type { Limited, ThrottleReason } from '../policy/mod.ts';
import type { Start } from '../ports/mod.ts';
import type { Pool } from './pool.ts';
import type { Run } from './run.ts';
import type { BootFailure } from './template-slot.ts';

/** Of Lambda's own reasons it is always the same. */
const MESSAGES: Partial<Record<ThrottleReason, string>> = {
  MachineInstanceLimitExceeded: 'Rate Exceeded. This machine has as many instances as it may, and all are at work.',
  MachineMemoryLimitExceeded: 'Rate Exceeded. This machine has no memory left for another instance.',
  MachineProcessLimitExceeded: 'Rate Exceeded. This machine has no room for more processes.',
  MachineOverloaded: 'Rate Exceeded. More is asked for than this machine can do now.',
};

/** How the invocations of a pool end that do not run. */
export class Refusals {
  readonly #pool: Limited & Pick<Pool, 'deployment' | 'tally' | 'host' | 'share'>;

  constructor(pool: Limited & Pick<Pool, 'deployment' | 'tally' | 'host' | 'share'>) {
    this.#pool = pool;
  }

  /** The function, as it is named in messages. */
  get #label(): string {
    return this.#pool.deployment.spec.label;
  }

  /** It may not wait, or has waited for too long. `shed`: it could have waited on, and others are better off without it. */
  throttle(run: Run, shed = false): void {
    const { host, tally } = this.#pool;
    const nearest = throttleReason(this.#pool, this.#pool.share, host, host.room);
    const reason = shed && nearest === 'FunctionInvocationRateLimitExceeded' ? 'MachineOverloaded' : nearest;
    tally.throttles++;
    run.refuse('TooManyRequestsException', MESSAGES[reason] ?? 'Rate Exceeded.', reason);
  }

  /** There is no template. `start`: the one that the invocation waited for. */
  notBooted(run: Run, failure: BootFailure, start: Start | undefined): void {
    if (failure.kind === 'init') run.failInit(failure.failure, start);
    else run.refuse('SandboxFailed', `no sandbox of ${this.#label} could be started: ${failure.message}`);
  }

  notForked(run: Run): void {
    run.refuse('SandboxFailed', `no sandbox of ${this.#label} could be started; try again`);
  }

  shuttingDown(line: Fifo<Run>): void {
    for (let run = line.first; run; run = line.first) {
      line.remove(run);
      run.refuse('ShuttingDown', 'this node is shutting down and the invocation had not begun; try another node, or again later');
    }
  }
}
