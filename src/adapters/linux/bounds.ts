import type { FunctionMessage } from '../../../runtimes/ladder/orders.ts';
import type { Cgroups } from './cgroups.ts';
import type { Runtime } from './runtime.ts';

type BoundsOptions = { readonly runtime: Runtime; readonly cgroups: Cgroups; readonly processes: number };

export type Bounds = Pick<FunctionMessage, 'processes' | 'reservedMiB'>;

/** Where control groups count what an instance uses, with all its processes, resource limits of a process are for what they don't count. */
export function boundsOf({ runtime, cgroups, processes }: BoundsOptions, grouped: boolean): Bounds {
  return {
    ...(grouped && cgroups.has('pids') ? {} : { processes }),
    reservedMiB: grouped && cgroups.has('memory') ? runtime.reservedMiB : 0,
  };
}
