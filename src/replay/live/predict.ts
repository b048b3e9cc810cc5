import { createPolicy, memoryOf } from '../../policy/mod.ts';
import type { PolicyName, PolicyOptions, WarmedFunction } from '../../policy/mod.ts';
import { thousandths } from '../../protocol/mod.ts';
import { simulate } from '../simulate.ts';
import type { Trace, TraceFunction } from '../trace.ts';

/** How a platform decides: its policy, and what that has learnt from all functions before. */
export type LivePolicy = {
  readonly name: PolicyName;
  /** In the trace's time. */
  readonly options: PolicyOptions;
  /** As `WarmingPolicy.save` gives it. Absent: nothing but what it begins with. */
  readonly shared?: Uint8Array;
};

/** What is held of one function and what that saves, in real time. */
export type LiveCosts = Pick<WarmedFunction, 'instance' | 'template'>;

/** How many calls find nothing, and how many a template to fork from. The first call of a function is in neither. */
export type LiveStarts = { readonly cold: number; readonly forked: number };

export type PredictOptions = {
  readonly policy: LivePolicy;
  /** What a function takes that was made for this, as the platform has measured it. */
  readonly measured: LiveCosts;
  readonly speed: number;
};

/**
 * What a function of the plan stands for, for both, the simulator and the platform: the traced function's memory, which decides how long it is worth
 * holding, on rungs as high as those of a function that was made for this, and that one's starts, which are what its calls wait for. Measured
 * anew for each function and each moment they would differ, and with them plans that are as good as each other.
 */
export function costsFor({ memoryMiB }: TraceFunction, { instance, template }: LiveCosts): LiveCosts {
  if (!template) return { instance: { memoryMiB: thousandths(memoryMiB), savedMs: instance.savedMs } };
  const part = template.memoryMiB / memoryOf({ instance, template }, 'instance');
  return {
    instance: { memoryMiB: thousandths(memoryMiB * (1 - part)), savedMs: instance.savedMs },
    template: { memoryMiB: thousandths(memoryMiB * part), savedMs: template.savedMs },
  };
}

/** What the simulator says of the trace's functions, by their ids, if these calls drive a platform at that speed. */
export function predictStarts(trace: Trace, { policy, measured, speed }: PredictOptions): ReadonlyMap<string, LiveStarts> {
  const opened = createPolicy(policy.name, policy.options);
  if (policy.shared) opened.load(policy.shared);
  const functions = trace.functions.map((one) => costing(one, costsFor(one, measured), speed));
  // Of schedules the platform is told nothing. The seed has nothing to decide: all times are exact.
  const { perFunction } = simulate({ ...trace, functions }, opened, { resolution: 'milliseconds', schedules: 'unknown', seed: 0 });
  return new Map(perFunction.map(({ id, coldStarts, templateStarts }) => [id, { cold: coldStarts, forked: templateStarts }]));
}

/** Trace time goes faster, so a start takes that much more of it. */
function costing(one: TraceFunction, costs: LiveCosts, speed: number): TraceFunction {
  const { instance, template } = costs;
  return {
    ...one,
    memoryMiB: memoryOf(costs, 'instance'),
    initMs: instance.savedMs * speed,
    ...(template && { template: { memoryMiB: template.memoryMiB, savedMs: template.savedMs * speed } }),
  };
}
