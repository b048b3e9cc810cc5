import type { Capacity, KnownSchedule, WarmedFunction } from '../policy/mod.ts';
import type { SandboxSpec } from '../ports/mod.ts';

/** A function version as the data plane runs it. A new value, with a new `id`, for every change of code or configuration. */
export type Deployment = {
  /** Unique for function, version and revision: two deployments with one id are the same in every respect. */
  readonly id: string;
  readonly functionName: string;
  /** `$LATEST` or a number. */
  readonly version: string;
  /** The ARN that the context object shows. */
  readonly arn: string;
  readonly spec: SandboxSpec;
  readonly timeoutMs: number;
  /** What is known of its calls beforehand. No part of what its id stands for, as `scaling` is none. */
  readonly calls?: ExpectedCalls;
  /** Instances at most; undefined: only what its function may run. */
  readonly maxInstances?: number;
  /** Who goes without when there is not enough for all. Absent: `standard`, without labels. */
  readonly capacity?: Capacity;
  /** Absent, or where something of it is absent: as `DEFAULT_SCALING` has it. */
  readonly scaling?: Partial<Scaling>;
};

/** What a warming policy is told of a function. */
export type ExpectedCalls = {
  /** Functions of one application may call each other: when one is called, those that mostly follow are expected. Absent: that of all which name none. */
  readonly application?: string;
  /** When it is called by somebody's schedule. */
  readonly schedule?: KnownSchedule;
  /** What it stands for that is to be weighed in place of what it takes, where time goes faster than the host's: a trace is replayed then. */
  readonly costs?: Pick<WarmedFunction, 'instance' | 'template'>;
};

/**
 * How many instances of a deployment are kept, and how many invocations may wait for one. No part of what its id stands for: a change
 * boots nothing anew, `Engine.rescale` has it apply to the instances that are there. Bounds: `LIMITS.scaling`.
 */
export type Scaling = {
  /** Instances that are kept however little happens. They make room for others only when nothing else can. */
  readonly minInstances: number;
  /** Instances at most. Absent: only what `Deployment.maxInstances` and the function's share allow. */
  readonly maxInstances?: number;
  /** Instances that are promised: kept as the minimum is, and they never make room for others. */
  readonly provisioned: number;
  /** How much of `spec.concurrency` is to be in use, on average: the rest is room for what comes next. Above 0, at most 1. */
  readonly targetUtilisation: number;
  /**
   * How long fewer instances are wanted before there are fewer, and how long an idle one is kept that is not wanted. Absent: as soon as
   * the average of a minute says so, and the node's own keep-alive.
   */
  readonly scaleDownDelayMs?: number;
  /** How many times over what the instances there are should have makes a burst: then the last 6 s decide, and nothing is taken away. */
  readonly burstMultiple: number;
  /** Invocations that may wait for an instance, and for how long. Absent: the node's limits. */
  readonly queueDepth?: number;
  readonly queueAgeMs?: number;
};

export const DEFAULT_SCALING: Scaling = { minInstances: 0, provisioned: 0, targetUtilisation: 0.7, burstMultiple: 2 };
