/**
 * The engine is told how functions scale and what is reserved for them: at start-up, after each change, and whenever a schedule of theirs
 * wants more instances, or fewer.
 */
import type { FunctionEntry, Functions, FunctionVersion } from '../control/mod.ts';
import type { Deployment, Engine } from '../engine/mod.ts';
import type { Clock, Log, Timer } from '../kernel/mod.ts';
import { CALLS_TAG } from '../protocol/mod.ts';
import { APPLICATION_TAG } from './deployments.ts';
import { plannedInstances, warmPlans, withPlanned } from './scaling.ts';
import type { WarmPlan } from './scaling.ts';

export type FollowScalingOptions = {
  readonly functions: Pick<Functions, 'table' | 'onChange'>;
  readonly engine: Pick<Engine, 'rescale' | 'reserve'>;
  readonly deploymentOf: (entry: FunctionEntry, version: FunctionVersion) => Deployment;
  readonly clock: Clock;
  readonly log: Log;
};

/** The clock on the wall may be set at any time: schedules are looked at that often at least. */
const LOOK_AGAIN_MS = 60_000;

type Followed = {
  readonly plans: readonly WarmPlan[];
  /** What the engine was told last, by deployment. */
  readonly told: ReadonlyMap<string, string>;
  readonly lookedMs: number;
  readonly untilMs: number | undefined;
};

/** Returns how to stop. */
export function followScaling({ functions, engine, deploymentOf, clock, log }: FollowScalingOptions): () => void {
  const followed = new Map<string, Followed>();
  let timer: Timer | undefined;

  const look = (entry: FunctionEntry, plans: readonly WarmPlan[]) => {
    const nowMs = clock.now();
    const { instances, untilMs } = plannedInstances(entry, plans, nowMs);
    const before = followed.get(entry.name)?.told;
    const told = new Map<string, string>();
    for (const version of entry.versions.values()) {
      if (version.code.kind !== 'ready' || version.record.settings.lockedEnvironment !== undefined) continue;
      const deployment = withPlanned(deploymentOf(entry, version), instances.get(version.record.version) ?? 0);
      const text = JSON.stringify([deployment.maxInstances, deployment.scaling, deployment.capacity, ...saidOfCalls(entry)]);
      told.set(deployment.id, text);
      if (text !== (before?.get(deployment.id) ?? NOTHING_SAID)) engine.rescale(deployment);
    }
    followed.set(entry.name, { plans, told, lookedMs: nowMs, untilMs });
  };

  const lookAgain = () => {
    timer = undefined;
    const nowMs = clock.now();
    for (const [name, { plans, lookedMs, untilMs }] of followed) {
      const same = nowMs >= lookedMs && (untilMs === undefined || nowMs < untilMs);
      const entry = functions.table.byName.get(name);
      if (plans.length > 0 && !same && entry) guarded(entry, () => look(entry, plans));
    }
    wait();
  };

  const wait = () => {
    timer?.cancel();
    timer = undefined;
    const waiting = [...followed.values()].filter(({ plans }) => plans.length > 0);
    if (waiting.length === 0) return;
    const nextMs = Math.min(...waiting.map(({ untilMs = Infinity }) => untilMs));
    timer = clock.after(Math.min(LOOK_AGAIN_MS, Math.max(0, nextMs - clock.now())), lookAgain);
  };

  /** A record that cannot be understood leaves its function as it is, and all others alone. */
  const guarded = (entry: FunctionEntry, run: () => void) => {
    try {
      run();
    } catch (error) {
      log.error({ error, functionName: entry.name }, 'the scaling settings of a function could not be applied');
    }
  };

  const changed = (entry: FunctionEntry) => {
    guarded(entry, () => look(entry, warmPlans(entry)));
    // After its versions know how many instances each may have: then those who wait can be let go in turn.
    engine.reserve(entry.name, entry.record.reservedConcurrency);
  };

  for (const entry of functions.table.byName.values()) changed(entry);
  wait();
  const stop = functions.onChange(({ name, entry }) => {
    const planned = (followed.get(name)?.plans.length ?? 0) > 0;
    if (entry) {
      changed(entry);
    } else {
      followed.delete(name);
      engine.reserve(name, undefined);
    }
    if (planned || (followed.get(name)?.plans.length ?? 0) > 0) wait();
  });
  return () => {
    stop();
    timer?.cancel();
  };
}

const saidOfCalls = ({ record: { tags } }: FunctionEntry) => [tags[APPLICATION_TAG], tags[CALLS_TAG]];

const NOTHING_SAID = JSON.stringify(Array.from({ length: 5 }));
