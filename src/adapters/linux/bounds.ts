import type { FunctionMessage } from '../../../runtimes/ladder/orders.ts';
import type { Cgroups } from './cgroups.ts';
import type { Zygote } from './zygote.ts';

type BoundsOptions = { readonly zygote: Zygote; readonly cgroups: Cgroups; readonly processes: number };

export type Bounds = Pick<FunctionMessage, 'processes' | 'reservedMiB'>;

/** Where control groups count what an instance uses, with all its processes, resource limits of a process are for what they don't count. */
export function boundsOf({ zygote, cgroups, processes }: BoundsOptions, grouped: boolean): Bounds {
  return {
    ...(grouped && cgroups.has('pids') ? {} : { processes }),
    reservedMiB: grouped && cgroups.has('memory') ? zygote.runtime.reservedMiB : 0,
  };
}
