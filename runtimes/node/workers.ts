/** Worker threads in little memory. */
import { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import threads from 'node:worker_threads';
import type { Worker as Thread, WorkerOptions } from 'node:worker_threads';
import { countWorker } from './resources.ts';

/** V8 rounds it up to what it needs at least; without a number it reserves 512 MiB, more than most functions have. */
const CODE_RANGE_MIB = 1;

const { apply, construct } = Reflect;
const { once } = EventEmitter.prototype;

/** Once, before any user code. */
export function fitWorkers(): void {
  threads.Worker = new Proxy(threads.Worker, {
    construct(target, parameters: [string | URL, WorkerOptions?], newTarget) {
      countWorker(1);
      try {
        const worker = construct(target, [parameters[0], fitted(parameters[1])], newTarget) as Thread;
        apply(once, worker, ['exit', () => countWorker(-1)]);
        return worker;
      } catch (error) {
        countWorker(-1);
        throw error;
      }
    },
  });
  syncBuiltinESMExports();
}

/** The options as they were, and room for code as small as can be, unless they say something else. */
function fitted(options: WorkerOptions | undefined): WorkerOptions {
  const limits = options?.resourceLimits;
  const resourceLimits = { ...limits, codeRangeSizeMb: limits?.codeRangeSizeMb || CODE_RANGE_MIB };
  return { __proto__: options, resourceLimits } as WorkerOptions;
}
