import { HearthError } from '../kernel/mod.ts';
import { costsFor, drivenTrace, planLive, predictStarts } from '../replay/mod.ts';
import type { LiveCosts, LivePlan, Trace } from '../replay/mod.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { drive } from './live-drive.ts';
import { leftovers, makeFunctions, measureFunctions, untilBooted } from './live-functions.ts';
import { openLivePlatform } from './live-platform.ts';
import type { Asked, LivePlatform } from './live-platform.ts';
import { reportOf, reportText, reportValue, verdictText } from './live-report.ts';
import type { Outcome } from './live-report.ts';
import { choicesIn, minutesIn, wholeIn } from './replay-options.ts';
import type { ReplayOptions } from './replay-options.ts';
import { onSignal, signalled } from './signals.ts';
import { readTraceFiles } from './trace-files.ts';

export type ReplayLiveOptions = ReplayOptions & {
  readonly speed?: string;
  readonly functions: string;
  readonly calls: string;
  readonly rate: string;
  readonly connections: string;
};

/**
 * Drives a platform with a part of the trace, and holds the cold starts that it counts against those that the simulator predicts for the same
 * calls. The platform is one of its own, unless one was named; its functions are its own there, and are gone afterwards. The exit code says
 * whether the two agree.
 */
export async function replayLive(context: Context, paths: readonly string[], options: ReplayLiveOptions): Promise<number> {
  const { out, directory } = context;
  const asked = askedIn(options);
  const read = await out.progress('reading the trace', readTraceFiles(directory, paths, options.format));
  for (const warning of read.warnings) out.warn(warning);
  const interrupted = new AbortController();
  const deaf = onSignal((signal) => interrupted.abort(signal));
  try {
    const platform = await openLivePlatform(context, asked);
    try {
      return await replayOn(platform, { context, trace: read.trace, options, signal: interrupted.signal });
    } finally {
      await platform.close();
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    out.note('ended before the time; its functions are gone');
    return signalled(interrupted.signal.reason as NodeJS.Signals);
  } finally {
    deaf();
  }
}

function askedIn({ policy, price, speed, limitMemory, svg }: ReplayLiveOptions): Asked {
  if (limitMemory !== undefined || svg !== undefined)
    throw new HearthError('BadUsage', '--limit-memory and --svg are for a replay in simulated time, not for one with --live');
  if (policy === undefined && price === undefined) return { choice: undefined, speed };
  const [choice, ...more] = choicesIn({ policy: policy ?? 'hazard', ...(price !== undefined && { price }) });
  if (more.length > 0) throw new HearthError('BadUsage', `--policy ${policy}: give one policy: a platform has one at a time`);
  return { choice, speed };
}

type Replay = { readonly context: Context; readonly trace: Trace; readonly options: ReplayLiveOptions; readonly signal: AbortSignal };

async function replayOn(platform: LivePlatform, { context, trace, options, signal }: Replay): Promise<number> {
  const { out } = context;
  const { client, own } = platform;
  signal.throwIfAborted();
  const left = own ? [] : await leftovers(client);
  for (const name of left) out.warn(`an earlier live replay has left ${name}: "hearth delete ${name}" takes it away`);
  const measured = await out.progress('measuring what functions take', measureFunctions(client, signal));
  const policy = await platform.decides();
  const limits = limitsIn(options, trace, platform);
  const lengthMs = ((limits.toMinute - limits.fromMinute) * MINUTE_MS) / limits.speed;
  const plan = planLive(trace, {
    ...limits,
    policy,
    measured,
    apartMs: pauses(measured, platform),
    maxColdStarts: Math.max(1, (lengthMs * BOOTING) / measured.instance.savedMs),
  });
  if (plan.calls.length === 0)
    throw new HearthError(
      'BadUsage',
      'nothing of the trace can be driven like that: every function calls for more than --calls or --rate allow',
    );
  const connections = wholeIn('--connections', options.connections, { min: 1, max: 1_000 });
  const counted = await driveAll(context, platform, { plan, measured, connections, signal });
  // Of calls that were late the policy has seen other pauses than the plan's, and so does the simulator.
  const predicted = predictStarts(drivenTrace(plan, counted.drive.sentMs), { policy, measured, speed: plan.speed });
  return show(context, { plan, policy, measured, predicted, keepAliveMs: platform.keepAliveMs, ...counted });
}

const MINUTE_MS = 60_000;
/** How long a trace is driven where nobody says how much of it. */
const DRIVEN_MINUTES = 2;

function limitsIn(options: ReplayLiveOptions, trace: Trace, { speed }: LivePlatform) {
  const minutes = minutesIn(options, trace);
  const to = options.to === undefined ? Math.min(trace.minutes, minutes.from + Math.ceil(DRIVEN_MINUTES * speed)) : minutes.to;
  return {
    speed,
    seed: wholeIn('--seed', options.seed, { min: 0, max: 2 ** 32 - 1 }),
    maxFunctions: wholeIn('--functions', options.functions, { min: 1, max: 500 }),
    maxCalls: wholeIn('--calls', options.calls, { min: 1, max: 1_000_000 }),
    maxCallsPerSecond: wholeIn('--rate', options.rate, { min: 1, max: 10_000 }),
    fromMinute: minutes.from,
    toMinute: to,
  };
}

/** In trace time: by so much a policy's own steps are late too, and which call comes first is a matter of luck. */
const DISTURBING_MS = 10_000;

function adviceText({ plan: { speed }, drive: { late } }: ReturnType<typeof reportOf>): string {
  if (late.maxMs * speed < DISTURBING_MS) return '';
  const seconds = Math.round((late.maxMs * speed) / 1_000);
  return `. The machine was late by up to ${late.maxMs} ms, which is ${seconds} s of the trace: try it on a machine that has nothing else to do, or with a lower --speed`;
}

/** What part of the time boots may take. */
const BOOTING = 0.2;
/** By how much a machine may be late that has something else to do. */
const LATE_MS = 50;
/** A function is asked about when it has been idle for a second, and a start may take longer than the one that was measured. */
const SETTLED_MS = 1_000;
const STARTS = 3;

/** How far calls of one function are to be apart, so that the one before is over, and was told of, when the next one comes. */
function pauses({ instance }: LiveCosts, { speed }: LivePlatform): number {
  return LATE_MS + STARTS * instance.savedMs + SETTLED_MS / speed;
}

type Driving = { readonly plan: LivePlan; readonly measured: LiveCosts; readonly connections: number; readonly signal: AbortSignal };

async function driveAll(
  { out }: Context,
  { client }: LivePlatform,
  { plan: { calls, lengthMs, trace }, measured, connections, signal }: Driving,
): Promise<Pick<Outcome, 'drive' | 'names' | 'stats'>> {
  const standIns = trace.functions.map((one) => ({ application: one.app, costs: costsFor(one, measured) }));
  const made = await out.progress('making functions', makeFunctions(client, standIns, signal));
  const { names } = made;
  try {
    await out.progress('making functions', untilBooted(client, signal));
    const onProgress = (sent: number, failed: number): void =>
      out.step(
        `driving for ${(lengthMs / 1_000).toFixed(0)} s: ${sent} of ${calls.length} calls sent${failed > 0 ? `, ${failed} failed` : ''}`,
      );
    const driven = await drive({ client, names, calls, connections, signal, onProgress });
    const { deployments } = await client.call<{ deployments: Outcome['stats'] }>({ method: 'GET', path: '/_hearth/stats' });
    return { drive: driven, names, stats: deployments.filter(({ functionName }) => names.includes(functionName)) };
  } finally {
    out.step(undefined);
    await made.remove();
  }
}

function show({ out }: Context, outcome: Outcome): number {
  const report = reportOf(outcome);
  out.result(reportValue(report), () => reportText(report, out.paint.bold));
  if (report.agrees) return EXIT.ok;
  const { failed, failure } = report.drive;
  const why = failed > 0 ? `${failed} calls failed, the first by: ${failure}` : verdictText(report) + adviceText(report);
  out.error(new HearthError('PredictionMissed', why));
  return EXIT.failed;
}
