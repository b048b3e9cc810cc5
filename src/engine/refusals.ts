import type { Fifo } from '../kernel/mod.ts';
import type { Start } from '../ports/mod.ts';
import type { Run } from './run.ts';
import type { Tally } from './tally.ts';
import type { BootFailure } from './template-slot.ts';

/** How the invocations of a pool end that do not run. */
export class Refusals {
  readonly #label: string;
  readonly #tally: Tally;

  /** `label`: the function, as it is named in messages. */
  constructor(label: string, tally: Tally) {
    this.#label = label;
    this.#tally = tally;
  }

  /** `ofFunction`: it is the function's own limit that is reached. */
  throttle(run: Run, ofFunction: boolean): void {
    this.#tally.throttles++;
    const reason = ofFunction ? 'ReservedFunctionConcurrentInvocationLimitExceeded' : 'ConcurrentInvocationLimitExceeded';
    run.refuse('TooManyRequestsException', 'Rate Exceeded.', reason);
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
