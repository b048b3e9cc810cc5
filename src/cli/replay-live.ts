import { constants } from 'node:os';
import { HearthError } from '../kernel/mod.ts';
import { AGREEMENT, planLive, predictCold, verdictOf } from '../replay/mod.ts';
import type { LivePlan, Verdict } from '../replay/mod.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { drive } from './live-drive.ts';
import type { Drive } from './live-drive.ts';
import { leftovers, makeFunctions } from './live-functions.ts';
import { minutesIn, numberIn, wholeIn } from './replay-options.ts';
import type { ReplayOptions } from './replay-options.ts';
import { tableText } from './text.ts';
import { readTraceFiles } from './trace-files.ts';

export type ReplayLiveOptions = ReplayOptions & {
  readonly speed: string;
  readonly functions: string;
  readonly calls: string;
  readonly rate: string;
  readonly connections: string;
};

/**
 * Drives a running platform with a part of the trace, and holds the starts that it counts against those that the simulator predicts for the same
 * calls. Its functions are its own, and are gone afterwards. The exit code says whether the two agree.
 */
export async function replayLive(context: Context, paths: readonly string[], options: ReplayLiveOptions): Promise<number> {
  const { out, client, directory } = context;
  const read = await out.progress('reading the trace', readTraceFiles(directory, paths, options.format));
  for (const warning of read.warnings) out.warn(warning);
  const { from, to } = minutesIn(options, read.trace);
  const keepAliveMs = await keepAliveOf(context);
  // Slower than that, and instances would be kept for less than a minute of the trace, which is what it counts in.
  const slowest = Math.max(1, Math.ceil(MINUTE_MS / keepAliveMs));
  const plan = planLive(read.trace, {
    speed: numberIn('--speed', options.speed, { min: slowest, max: 100_000 }),
    seed: wholeIn('--seed', options.seed, { min: 0, max: 2 ** 32 - 1 }),
    keepAliveMs,
    maxFunctions: wholeIn('--functions', options.functions, { min: 1, max: 500 }),
    maxCalls: wholeIn('--calls', options.calls, { min: 1, max: 1_000_000 }),
    maxCallsPerSecond: wholeIn('--rate', options.rate, { min: 1, max: 10_000 }),
    fromMinute: from,
    toMinute: to,
  });
  if (plan.calls.length === 0)
    throw new HearthError(
      'BadUsage',
      'nothing of the trace can be driven like that: every function calls for more than --calls or --rate allow',
    );
  for (const name of await leftovers(client)) out.warn(`an earlier live replay has left ${name}: "hearth delete ${name}" takes it away`);
  const predicted = predictCold(plan, keepAliveMs);
  const interrupted = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => interrupted.abort(signal);
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const connections = wholeIn('--connections', options.connections, { min: 1, max: 1_000 });
    const driven = await driveAll(context, plan, { connections, signal: interrupted.signal });
    return report(context, plan, { ...driven, keepAliveMs, predicted });
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    out.note('ended before the time; its functions are gone');
    return 128 + constants.signals[interrupted.signal.reason as NodeJS.Signals];
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

const MINUTE_MS = 60_000;

async function keepAliveOf({ client, endpoint }: Context): Promise<number> {
  const { keepAliveMs, warming } = await client.call<{ keepAliveMs?: number; warming?: string }>({ method: 'GET', path: '/_hearth/info' });
  if (warming !== undefined && warming !== 'fixed')
    throw new HearthError(
      'BadUsage',
      `the Hearth at ${endpoint} runs the policy "${warming}", which looks hours ahead, and a trace is driven in less: start one with "hearth up --warming fixed --keep-alive 10s"`,
    );
  if (keepAliveMs !== undefined) return keepAliveMs;
  throw new HearthError('BadRequest', `the Hearth at ${endpoint} does not say how long it keeps instances: it is older than this command`);
}

type Counted = { readonly drive: Drive; readonly stats: readonly Stats[]; readonly names: readonly string[] };
/** As the admin API has it, by kind and cause. */
type Stats = { readonly functionName: string; readonly starts: Kinds; readonly causes: Readonly<Record<string, Kinds>> };
type Kinds = Readonly<Record<string, number>>;

async function driveAll(
  { out, client }: Context,
  { calls, lengthMs, trace }: LivePlan,
  { connections, signal }: { readonly connections: number; readonly signal: AbortSignal },
): Promise<Counted> {
  const made = await out.progress('making functions', makeFunctions(client, trace.functions.length, signal));
  const { names } = made;
  try {
    const onProgress = (sent: number, failed: number): void =>
      out.step(
        `driving for ${(lengthMs / 1_000).toFixed(0)} s: ${sent} of ${calls.length} calls sent${failed > 0 ? `, ${failed} failed` : ''}`,
      );
    const driven = await drive({ client, names, calls, connections, signal, onProgress });
    const { deployments } = await client.call<{ deployments: readonly Stats[] }>({ method: 'GET', path: '/_hearth/stats' });
    return { drive: driven, names, stats: deployments.filter(({ functionName }) => names.includes(functionName)) };
  } finally {
    out.step(undefined);
    await made.remove();
  }
}

type Outcome = Counted & { readonly keepAliveMs: number; readonly predicted: ReadonlyMap<string, number> };

function report({ out }: Context, plan: LivePlan, { drive: driven, stats, names, keepAliveMs, predicted }: Outcome): number {
  const counted = plan.trace.functions.map(({ id }, index) => {
    const starts = stats.filter(({ functionName }) => functionName === names[index]);
    const cold = starts.reduce((sum, each) => sum + coldOf(each), 0);
    // The first call finds nothing whatever a platform does.
    return { id, predicted: predicted.get(id) ?? 0, counted: Math.max(0, cold - 1) };
  });
  const verdict = verdictOf(counted);
  const causes = causesOf(stats);
  const agrees = verdict.agrees && driven.failed === 0;
  const value = {
    ...verdict,
    agrees,
    keepAliveMs,
    calls: plan.calls.length,
    functions: counted.length,
    lengthMs: plan.lengthMs,
    ...driven,
    causes,
    leftOut: plan.leftOut,
  };
  out.result(value, () => textOf(plan, { verdict, driven, causes, keepAliveMs }, out.paint.bold));
  if (agrees) return EXIT.ok;
  const why = driven.failed > 0 ? `${driven.failed} calls failed, the first by: ${driven.failure}` : verdictText(verdict);
  out.error(new HearthError('PredictionMissed', why));
  return EXIT.failed;
}

const coldOf = ({ starts }: Stats): number =>
  Object.entries(starts).reduce((sum, [kind, count]) => (kind === 'warm' ? sum : sum + count), 0);

function causesOf(stats: readonly Stats[]): Record<string, number> {
  const causes: Record<string, number> = {};
  for (const each of stats)
    for (const [kind, counts] of Object.entries(each.causes))
      for (const [cause, count] of Object.entries(counts)) causes[`${kind}: ${cause}`] = (causes[`${kind}: ${cause}`] ?? 0) + count;
  return causes;
}

type Told = { readonly verdict: Verdict; readonly driven: Drive; readonly causes: Record<string, number>; readonly keepAliveMs: number };

const MOST_LISTED = 10;

function textOf(
  { trace, calls, lengthMs, leftOut }: LivePlan,
  { verdict, driven, causes, keepAliveMs }: Told,
  bold: (text: string) => string,
): string {
  const { late } = driven;
  return [
    `${bold(trace.name)}: ${trace.functions.length} functions, ${calls.length} calls in ${(lengthMs / 1_000).toFixed(0)} s; idle instances were kept for ${keepAliveMs / 1_000} s`,
    `left out: ${leftOut.functions} functions, and ${leftOut.calls} calls that would have run beside others of their function`,
    `calls were late by ${late.p50Ms} ms (half of them), ${late.p99Ms} ms (99 of 100), at most ${late.maxMs} ms`,
    '',
    tableText(
      ['STARTS', 'COUNT'],
      Object.entries(causes).map(([cause, count]) => [cause, String(count)]),
      bold,
    ),
    '',
    ...(verdict.off.length === 0
      ? []
      : [
          tableText(
            ['FUNCTION', 'PREDICTED', 'COUNTED'],
            verdict.off.slice(0, MOST_LISTED).map(({ id, predicted, counted }) => [id, String(predicted), String(counted)]),
            bold,
          ),
          '',
        ]),
    verdictText(verdict),
    ...(verdict.few ? ['So few starts are no proof: take more functions, or a longer part of the trace.'] : []),
  ].join('\n');
}

function verdictText({ predicted, counted, error, agrees }: Verdict): string {
  const percent = `${error > 0 ? '+' : ''}${(error * 100).toFixed(1)}%`;
  return `${predicted} cold starts predicted, ${counted} counted: ${percent}, ${agrees ? 'within' : 'not within'} ${AGREEMENT * 100}%`;
}
