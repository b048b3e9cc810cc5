import { LIMITS } from '../kernel/mod.ts';
import { SHED_LIMITS } from '../policy/mod.ts';
import type { EvictionOrder, ShedLimits } from '../policy/mod.ts';

export type Limits = {
  /** Invocations that run at a time, all functions together. */
  readonly concurrentInvocations: number;
  /** Those of functions without a reservation at least, whatever is reserved. */
  readonly unreservedInvocations: number;
  /** Instances, all functions together; idle ones of other functions make room. Twice what may run at a time: half of them may rest. */
  readonly maxInstancesTotal: number;
  /** What instances and templates may hold of memory together, as far as it is measured; idle ones make room, and nothing that runs is ended for it. */
  readonly memoryMiB: number;
  /** Who goes first where there is not room for all. */
  readonly eviction: EvictionOrder;
  /** What the instances share: where answers come fast, twice as many as this at work are enough. */
  readonly processors: number;
  /** Templates; unused ones make room. More may exist while more are in use. */
  readonly maxTemplates: number;
  /** Invocations that may wait for an instance, per deployment, and for how long. */
  readonly queueDepth: number;
  readonly queueAgeMs: number;
  /** The same for all deployments together. */
  readonly queueDepthTotal: number;
  /** When those who wait for room on the machine are too many, and some of them are refused. */
  readonly shedding: ShedLimits;
  /** How long an idle instance is kept, and a template without any instance. */
  readonly keepAliveMs: number;
  readonly templateKeepAliveMs: number;
};

const MINUTE_MS = 60_000;

export const DEFAULT_LIMITS: Limits = {
  concurrentInvocations: LIMITS.concurrentInvocations,
  unreservedInvocations: 0,
  maxInstancesTotal: 2 * LIMITS.concurrentInvocations,
  memoryMiB: Infinity,
  eviction: 'value',
  processors: 4,
  maxTemplates: 500,
  queueDepth: LIMITS.queueDepth,
  queueAgeMs: LIMITS.queueAgeMs,
  keepAliveMs: LIMITS.keepAliveMs,
  queueDepthTotal: LIMITS.queueDepthTotal,
  shedding: SHED_LIMITS,
  templateKeepAliveMs: 60 * MINUTE_MS,
};
