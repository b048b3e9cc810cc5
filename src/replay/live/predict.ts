import { createPolicy } from '../../policy/mod.ts';
import { simulate } from '../simulate.ts';
import type { LivePlan } from './plan.ts';

/** How many calls of each function of the plan find no instance, the first not counted, on a platform that keeps instances for so long. */
export function predictCold({ trace, speed }: LivePlan, keepAliveMs: number): ReadonlyMap<string, number> {
  const cold = new Map<string, number>();
  // One by one: nothing but its own calls decides about a function.
  for (const one of trace.functions) {
    const keepMs = keepAliveMs * speed;
    // The seed has nothing to decide: all times are exact.
    const options = { resolution: 'milliseconds', schedules: 'unknown', seed: 0 } as const;
    cold.set(one.id, simulate({ ...trace, functions: [one] }, createPolicy('fixed', { keepMs }), options).coldStarts);
  }
  return cold;
}
