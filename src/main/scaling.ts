/** What a function's settings say of how a version of it scales, as the data plane has it. */
import { instanceConcurrency, instancesOf, provisionedOf, sharesOf } from '../control/mod.ts';
import type { FunctionEntry, FunctionVersion, VersionRecord } from '../control/mod.ts';
import type { Deployment, Scaling } from '../engine/mod.ts';
import { parseSchedule, scheduledWarmth } from '../policy/mod.ts';
import type { WarmWindow } from '../policy/mod.ts';
import { CAPACITY_TAG, parseCapacity, parseScaling, parseWarmTags, SCALING_TAG } from '../protocol/mod.ts';
import type { WarmTag } from '../protocol/mod.ts';

/** The parts of a deployment that change without anything being booted anew. */
export function scalingOf(entry: FunctionEntry, { record }: FunctionVersion): Pick<Deployment, 'maxInstances' | 'scaling' | 'capacity'> {
  const { reservedConcurrency, tags } = entry.record;
  const { concurrency: _, ...tuned } = parseScaling(tags[SCALING_TAG]);
  const each = instanceConcurrency(entry.record, record.settings);
  const { min, max } = instancesOf(entry, record.version);
  const provisioned = provisionedInstances(entry, record, each);
  const scaling: Partial<Scaling> = {
    ...tuned,
    ...(min !== undefined && { minInstances: min }),
    ...(max !== undefined && { maxInstances: max }),
    ...(provisioned > 0 && { provisioned }),
  };
  return {
    // More would be of no use to a single version, if all that is reserved ran there.
    ...(reservedConcurrency !== undefined && { maxInstances: Math.ceil(reservedConcurrency / each) }),
    ...(Object.keys(scaling).length > 0 && { scaling }),
    ...(tags[CAPACITY_TAG] !== undefined && { capacity: parseCapacity(tags[CAPACITY_TAG]) }),
  };
}

function provisionedInstances(entry: FunctionEntry, { version }: VersionRecord, concurrency: number): number {
  const shares = provisionedOf(entry).map(({ qualifier, executions }) => sharesOf(entry, qualifier, executions).get(version) ?? 0);
  return Math.ceil(shares.reduce((sum, share) => sum + share, 0) / concurrency);
}

/** A schedule of a function, and the window that it stands for. */
export type WarmPlan = { readonly tag: WarmTag; readonly window: WarmWindow };

/** Throws HearthError `InvalidParameterValueException`. */
export function warmPlans({ record }: FunctionEntry): readonly WarmPlan[] {
  return parseWarmTags(record.tags).map((tag) => {
    const { expression, timezone, forMs, instances } = tag;
    return { tag, window: { schedule: parseSchedule(expression, timezone), forMs, instances } };
  });
}

export type PlannedInstances = {
  /** By version; those that are not there have none. */
  readonly instances: ReadonlyMap<string, number>;
  /** When that may be others; undefined: never. */
  readonly untilMs: number | undefined;
};

/** How many instances scheduled warming wants now. */
export function plannedInstances(entry: FunctionEntry, plans: readonly WarmPlan[], nowMs: number): PlannedInstances {
  const instances = new Map<string, number>();
  let untilMs: number | undefined;
  for (const { tag, window } of plans) {
    const warmth = scheduledWarmth([window], nowMs);
    if (warmth.untilMs !== undefined) untilMs = Math.min(untilMs ?? Infinity, warmth.untilMs);
    if (warmth.instances === 0) continue;
    for (const [version, share] of sharesOf(entry, tag.qualifier, warmth.instances))
      instances.set(version, Math.max(share, instances.get(version) ?? 0));
  }
  return { instances, untilMs };
}

/** A deployment with at least so many instances. */
export function withPlanned(deployment: Deployment, planned: number): Deployment {
  const minInstances = Math.max(planned, deployment.scaling?.minInstances ?? 0);
  return planned === 0 ? deployment : { ...deployment, scaling: { ...deployment.scaling, minInstances } };
}
