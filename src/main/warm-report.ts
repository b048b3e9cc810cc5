/** What is kept of a function, put together from what it says of itself and what the engine counts. */
import { instanceConcurrency, sharesOf } from '../control/mod.ts';
import type { FunctionEntry, FunctionVersion } from '../control/mod.ts';
import type { DeploymentStats, Engine, WarmingView } from '../engine/mod.ts';
import { scheduledWarmth } from '../policy/mod.ts';
import { CAPACITY_TAG, parseCapacity } from '../protocol/mod.ts';
import type { ScheduleReport, VersionWarmth, WarmReport } from '../protocol/mod.ts';
import { deploymentIdOf } from './deployments.ts';
import { policyWarmth } from './policy-warmth.ts';
import { plannedInstances, scalingOf, warmPlans } from './scaling.ts';
import type { WarmPlan } from './scaling.ts';

export type WarmReportOptions = {
  readonly engine: Pick<Engine, 'statsOf' | 'warming'>;
  readonly nowMs: number;
};

export function warmReport(entry: FunctionEntry, { engine, nowMs }: WarmReportOptions): WarmReport {
  const plans = warmPlans(entry);
  const planned = plannedInstances(entry, plans, nowMs).instances;
  const versions = [...entry.versions.values()].map((version) => {
    const id = deploymentIdOf(entry, version.record);
    const scheduled = planned.get(version.record.version) ?? 0;
    return versionWarmth(entry, version, { stats: engine.statsOf(id), scheduled, view: engine.warming(id) });
  });
  const schedules = plans.map((plan) => scheduleReport(entry, plan, nowMs));
  return { functionName: entry.name, versions: versions.filter(isOfInterest), schedules };
}

/** A function may have very many versions, most of which are at rest. */
const isOfInterest = ({ version, wanted, instances, invocations }: VersionWarmth): boolean =>
  version === '$LATEST' || wanted > 0 || instances.idle + instances.busy + instances.queued > 0 || invocations > 0;

type Known = { readonly stats: DeploymentStats | undefined; readonly scheduled: number; readonly view: WarmingView | undefined };

function versionWarmth(entry: FunctionEntry, version: FunctionVersion, { stats, scheduled, view }: Known): VersionWarmth {
  const { record } = version;
  const { maxInstances, scaling = {} } = scalingOf(entry, version);
  const { class: capacityClass, labels } = parseCapacity(entry.record.tags[CAPACITY_TAG]);
  const settled = { minimum: scaling.minInstances ?? 0, scheduled, provisioned: scaling.provisioned ?? 0 };
  const least = Math.max(...Object.values(settled));
  const maximum = Math.min(maxInstances ?? Infinity, scaling.maxInstances ?? Infinity);
  const { idle = 0, busy = 0, queued = 0, invocations = 0, throttles = 0, starts = NO_STARTS, causes = NO_CAUSES, kept } = stats ?? {};
  const wanted = kept?.wanted ?? Math.min(maximum, least);
  return {
    version: record.version,
    aliases: entry.record.aliases.filter(({ name }) => sharesOf(entry, name, 1).has(record.version)).map(({ name }) => name),
    instances: { idle, busy, queued },
    wanted,
    because: { ...settled, load: wanted > least ? wanted : 0 },
    maximum: maximum === Infinity ? null : maximum,
    concurrency: instanceConcurrency(entry.record, record.settings),
    capacityClass,
    labels,
    failure: kept?.failure?.reason ?? null,
    memoryMiB: record.settings.memoryMiB,
    heldMiB: record.settings.memoryMiB * (idle + busy),
    ...{ invocations, throttles, starts, causes },
    provisionedInvocations: kept?.provisionedInvocations ?? 0,
    spilloverInvocations: kept?.spilloverInvocations ?? 0,
    policy: policyWarmth(view),
  };
}

const NO_STARTS: DeploymentStats['starts'] = { warm: 0, fork: 0, boot: 0, spawn: 0 };
const NO_CAUSES: DeploymentStats['causes'] = { warm: {}, fork: {}, boot: {}, spawn: {} };

function scheduleReport(entry: FunctionEntry, { tag, window }: WarmPlan, nowMs: number): ScheduleReport {
  const { instances, untilMs } = scheduledWarmth([window], nowMs);
  const known = tag.qualifier === '$LATEST' || sharesOf(entry, tag.qualifier, 1).size > 0;
  return { ...tag, known, open: instances > 0, changesMs: untilMs ?? null };
}
