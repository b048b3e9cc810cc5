import { LIMITS, silentLog } from '../kernel/mod.ts';
import type { Clock, Log, Random } from '../kernel/mod.ts';
import { entriesOf } from '../ports/mod.ts';
import type { InvocationReport, LoneStart, Machine, Sandboxes } from '../ports/mod.ts';
import { FormEvent } from '../protocol/mod.ts';
import type { EncodableEvent } from '../protocol/mod.ts';
import { DEFAULT_SCALING } from './deployment.ts';
import type { Deployment } from './deployment.ts';
import type { Engine, EngineListener, EngineLog, HostLoad, Invocation, InvocationHandle, PrepareResult, ShareLoad } from './engine.ts';
import { initError } from './errors.ts';
import { Host } from './host.ts';
import { isKept } from './kept.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { Limits } from './limits.ts';
import { Pool } from './pool.ts';
import { Run } from './run.ts';
import type { Share } from './shares.ts';
import type { BootOutcome } from './template-slot.ts';
import { Warming } from './warming.ts';
import type { WarmingOptions } from './warming.ts';

export type EngineOptions = {
  readonly sandboxes: Sandboxes;
  readonly clock: Clock;
  readonly random: Random;
  /** Called for every line, on the hot path: must neither wait nor throw. */
  readonly log: (line: EngineLog) => void;
  /** The same for each invocation's end. Default: its lines, by `log`. */
  readonly report?: (report: InvocationReport) => void;
  /** Called for each start that no invocation reports. Default: nobody hears of it. */
  readonly started?: (start: LoneStart) => void;
  /** Whether somebody reads along, who wants to see that an invocation has begun. */
  readonly isFollowed?: (functionName: string) => boolean;
  readonly limits?: Partial<EngineLimits>;
  /** What it runs on. Absent: the limits alone say how much there is. */
  readonly machine?: Machine | undefined;
  readonly platformLog?: Log;
  /** What is held of functions that nobody calls. Absent: for the times that the limits say. */
  readonly warming?: WarmingOptions;
};

export type EngineLimits = Limits;

/** An engine over a source of sandboxes. It starts nothing by itself and ends with `drain`; closing the sandboxes is their owner's. */
export function createEngine(options: EngineOptions): Engine {
  const host = new Host({
    sandboxes: options.sandboxes,
    clock: options.clock,
    random: options.random,
    log: options.log,
    report: options.report ?? ((report) => asLines(report, options.log)),
    started: options.started ?? (() => {}),
    isFollowed: options.isFollowed ?? (() => false),
    platformLog: options.platformLog ?? silentLog,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    machine: options.machine,
    warming: options.warming && new Warming(options.warming, options.clock),
  });
  let drained: Promise<void> | undefined;

  const poolOf = (deployment: Deployment): Pool => {
    let pool = host.pools.get(deployment.id);
    if (!pool) {
      pool = new Pool(deployment, host);
      host.pools.set(deployment.id, pool);
      pool.rescale(deployment);
    }
    return pool;
  };

  /** Whether its calls are waited for by a policy. */
  const isScheduled = ({ calls }: Deployment): boolean => host.warming !== undefined && calls?.schedule !== undefined;

  return {
    invoke(invocation: Invocation, listener: EngineListener): InvocationHandle {
      if (host.draining) return refused(host, invocation, listener);
      const pool = poolOf(invocation.deployment);
      const run = new Run(pool, invocation, listener, invocation.requestId ?? host.random.uuid(), host.clock.monotonicMs());
      if (isTooLarge(invocation.event)) run.refuse('RequestTooLargeException', TOO_LARGE);
      else pool.admit(run);
      return run;
    },
    async retire(functionName, keepIds) {
      const retired = [...host.pools.values()].filter(
        ({ deployment }) => deployment.functionName === functionName && keepIds?.has(deployment.id) !== true,
      );
      await Promise.all(retired.map((pool) => pool.retire()));
    },
    prepare(deployment) {
      if (host.draining) return Promise.resolve(preparation(deployment, undefined));
      return new Promise((resolve) => {
        poolOf(deployment).template.prepare((outcome) => resolve(preparation(deployment, outcome)));
      });
    },
    rescale(deployment) {
      const known = host.pools.get(deployment.id);
      if (known) known.rescale(deployment);
      // A pool that keeps nothing is made when it is called.
      else if (!host.draining && (isScheduled(deployment) || isKept({ ...DEFAULT_SCALING, ...deployment.scaling }, 1))) poolOf(deployment);
    },
    reserve: (functionName, executions) => host.shares.reserve(functionName, executions),
    drain: (graceMs) => (drained ??= drain(host, graceMs)),
    snapshot: (id) => host.pools.get(id)?.template.snapshot,
    stats: () => [...host.pools.values()].map((pool) => pool.stats()),
    statsOf: (id) => host.pools.get(id)?.stats(),
    load: () => loadOf(host),
    resume(deployment) {
      if (!host.draining && (isScheduled(deployment) || host.warming?.knows(deployment.spec.label))) poolOf(deployment);
    },
    warming: (id) => host.pools.get(id)?.standby.warmer?.view,
    takeWarmingChanges: () => host.warming?.takeChanges(),
    sharedWarming: () => host.warming?.policy.save(),
    forget: (functionName) => host.warming?.forget(functionName) ?? [],
  };
}

function loadOf({ running, waiting, shares, room, boots, watch }: Host): HostLoad {
  const { instances, committedMiB, memoryMiB, evicted } = room;
  return {
    running,
    waiting,
    shares: {
      unreserved: shareLoad(shares.unreserved),
      reserved: Object.fromEntries(shares.reserved.entries().map(([name, share]) => [name, shareLoad(share)])),
    },
    instances,
    committedMiB: Math.round(committedMiB),
    ...(Number.isFinite(memoryMiB) && { memoryMiB: Math.round(memoryMiB) }),
    boots: { going: boots.going, waiting: boots.waiting },
    evicted: { ...evicted },
    shedding: watch.shedding,
    shed: watch.shedTotal,
  };
}

const shareLoad = ({ running, maxRunning }: Share): ShareLoad => ({ running, limit: maxRunning });

function isTooLarge(event: EncodableEvent): boolean {
  if (event instanceof FormEvent) return event.mostBytes > LIMITS.payloadBytes && isTooLarge(event.toJson());
  // A character takes at most three bytes per UTF-16 unit: most events need no counting.
  if (event.length * 3 <= LIMITS.payloadBytes) return false;
  return (typeof event === 'string' ? Buffer.byteLength(event) : event.length) > LIMITS.payloadBytes;
}

function asLines(report: InvocationReport, log: EngineOptions['log']): void {
  const { functionName, version, requestId } = report;
  for (const { timeMs, text } of entriesOf(report)) log({ functionName, version, timeMs, requestId, text });
}

const TOO_LARGE = `Request must be smaller than ${LIMITS.payloadBytes} bytes for the InvokeFunction operation`;

/** How long the end of killed processes is awaited. */
const LAST_EXITS_MS = 2_000;

function refused(host: Host, invocation: Invocation, listener: EngineListener): InvocationHandle {
  // A pool of its own that nobody else sees: a node that is leaving makes no entry for it.
  const requestId = invocation.requestId ?? host.random.uuid();
  const run = new Run(new Pool(invocation.deployment, host), invocation, listener, requestId, host.clock.monotonicMs());
  run.refuse('ShuttingDown', 'this node is shutting down and takes no new invocations; try another node, or again later');
  return run;
}

function preparation(deployment: Deployment, outcome: BootOutcome | undefined): PrepareResult {
  if (!outcome) {
    return { ok: false, error: { errorType: 'ShuttingDown', errorMessage: 'the deployment was retired, or the node is shutting down' } };
  }
  if (outcome.ok) return { ok: true, initMs: outcome.template.initMs, blockers: outcome.template.blockers };
  const { failure } = outcome;
  if (failure.kind === 'init') return { ok: false, error: initError(undefined, failure.failure, deployment.spec.initTimeoutMs) };
  return { ok: false, error: { errorType: 'SandboxFailed', errorMessage: failure.message } };
}

async function drain(host: Host, graceMs: number): Promise<void> {
  host.draining = true;
  host.watch.stop();
  if (!host.quiet()) {
    await new Promise<void>((resolve) => {
      host.onQuiet = resolve;
      host.clock.after(graceMs, resolve);
    });
    host.onQuiet = undefined;
  }
  // Before anything is cut off: the room that makes must not start what waits.
  for (const pool of host.pools.values()) pool.refuseWaiting();
  const ends = [...host.pools.values()].map((pool) => pool.close());
  await new Promise<void>((resolve) => {
    const timer = host.clock.after(LAST_EXITS_MS, resolve);
    void Promise.all(ends).then(() => {
      timer.cancel();
      resolve();
    });
  });
}
