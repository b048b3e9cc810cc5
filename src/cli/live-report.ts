/** What a live replay has come to: counts of a platform beside those of the simulator, as a value and as a text. */
import { AGREEMENT, verdictOf } from '../replay/mod.ts';
import type { LiveCosts, LivePlan, LivePolicy, LiveStarts, Verdict } from '../replay/mod.ts';
import type { Drive } from './live-drive.ts';
import { tableText } from './text.ts';

/** As the admin API has it, by kind and cause. */
export type Stats = {
  readonly functionName: string;
  readonly invocations: number;
  readonly starts: Kinds;
  readonly causes: Readonly<Record<string, Kinds>>;
};
type Kinds = Readonly<Record<string, number>>;

export type Outcome = {
  readonly plan: LivePlan;
  readonly policy: LivePolicy;
  /** What a function takes that was made for this. */
  readonly measured: LiveCosts;
  /** In real time, of `fixed`. */
  readonly keepAliveMs: number;
  readonly predicted: ReadonlyMap<string, LiveStarts>;
  readonly drive: Drive;
  /** What the platform has counted of the plan's functions, which it knows by these names. */
  readonly names: readonly string[];
  readonly stats: readonly Stats[];
};

export type Report = Verdict & { readonly drive: Drive; readonly forked: { readonly predicted: number; readonly counted: number } } & Pick<
    Outcome,
    'plan' | 'policy' | 'measured' | 'keepAliveMs'
  > & { readonly causes: Kinds };

export function reportOf({ plan, predicted, names, stats, drive, policy, measured, keepAliveMs }: Outcome): Report {
  const functions = plan.trace.functions.map(({ id }, index) => {
    const counted = startsOf(stats.filter(({ functionName }) => functionName === names[index]));
    return { id, counted, predicted: predicted.get(id) ?? { cold: 0, forked: 0 } };
  });
  const verdict = verdictOf(functions.map((each) => ({ id: each.id, predicted: each.predicted.cold, counted: each.counted.cold })));
  const forked = (of: 'predicted' | 'counted') => functions.reduce((sum, each) => sum + each[of].forked, 0);
  return {
    ...verdict,
    agrees: verdict.agrees && drive.failed === 0,
    forked: { predicted: forked('predicted'), counted: forked('counted') },
    causes: causesOf(stats),
    ...{ drive, plan, policy, measured, keepAliveMs },
  };
}

/** How boots come about that no policy can help: the first call finds nothing, or what was made when the function was. */
const FIRST = ['first call', 'deployed'];
/** Why instances are forked for calls, where plain processes stand for forks. */
const FORKED = ['no instance', 'all busy'];

/** Of one function's calls, which of them the policy could have had an instance for. */
function startsOf(stats: readonly Stats[]): LiveStarts {
  const sum = (of: (each: Stats) => number) => stats.reduce((total, each) => total + of(each), 0);
  const all = (kinds: Kinds) => Object.values(kinds).reduce((total, count) => total + count, 0);
  const calls = sum(({ invocations }) => invocations);
  const warm = sum(({ starts }) => starts['warm'] ?? 0);
  // What was made for nobody is counted too, as what it is made by: a fork, or a process.
  const ahead = sum(({ starts }) => all(starts)) - calls;
  const booted = (kind: string, besides: readonly string[]) =>
    sum(({ causes }) =>
      Object.entries(causes[kind] ?? {}).reduce((total, [cause, count]) => total + (besides.includes(cause) ? 0 : count), 0),
    );
  const spawned = Math.max(0, booted('spawn', [...FIRST, ...FORKED]) - (sum(({ starts }) => starts['spawn'] ?? 0) > 0 ? ahead : 0));
  const cold = booted('boot', FIRST) + spawned;
  return { cold, forked: Math.max(0, calls - warm - cold - 1) };
}

function causesOf(stats: readonly Stats[]): Record<string, number> {
  const causes: Record<string, number> = {};
  for (const each of stats)
    for (const [kind, counts] of Object.entries(each.causes))
      for (const [cause, count] of Object.entries(counts)) causes[`${kind}: ${cause}`] = (causes[`${kind}: ${cause}`] ?? 0) + count;
  return causes;
}

export function reportValue({ drive, plan, policy, ...report }: Report): object {
  const { calls, speed, lengthMs, leftOut, trace } = plan;
  return {
    ...report,
    policy: policy.name,
    options: policy.options,
    speed,
    calls: calls.length,
    functions: trace.functions.length,
    lengthMs,
    ...{ late: drive.late, failed: drive.failed, failure: drive.failure },
    leftOut,
  };
}

const MOST_LISTED = 10;

export function reportText(report: Report, bold: (text: string) => string): string {
  const { plan, drive, causes, measured, forked, off, few } = report;
  const { trace, calls, lengthMs, leftOut, speed } = plan;
  const { late } = drive;
  const listed = off.slice(0, MOST_LISTED).map(({ id, predicted, counted }) => [id, String(predicted), String(counted)]);
  const counts = Object.entries(causes).map(([cause, count]) => [cause, String(count)]);
  return [
    `${bold(trace.name)}: ${trace.functions.length} functions, ${calls.length} calls, ${trace.minutes} minutes in ${(lengthMs / 1_000).toFixed(0)} s (speed ${speed})`,
    policyText(report),
    costsText(measured),
    `left out: ${leftOut.functions} functions, and ${leftOut.calls} calls that would have run beside others of their function`,
    `calls were late by ${late.p50Ms} ms (half of them), ${late.p99Ms} ms (99 of 100), at most ${late.maxMs} ms`,
    '',
    tableText(['STARTS', 'COUNT'], counts, bold),
    '',
    ...(listed.length === 0 ? [] : [tableText(['FUNCTION', 'PREDICTED', 'COUNTED'], listed, bold), '']),
    ...(forked.predicted + forked.counted === 0
      ? []
      : [`${forked.predicted} starts from a template predicted, ${forked.counted} counted; these are not judged`]),
    verdictText(report),
    ...(few ? ['So few starts are no proof: take more functions, or a longer part of the trace.'] : []),
  ].join('\n');
}

function policyText({ policy: { name, options }, keepAliveMs }: Report): string {
  if (name === 'fixed') return `policy fixed: idle instances were kept for ${keepAliveMs / 1_000} s`;
  return name === 'hazard' ? `policy hazard: a cold start is worth ${options.priceMiBSeconds} MiB s` : `policy ${name}`;
}

function costsText({ instance, template }: LiveCosts): string {
  const beside = template ? `a template takes ${template.memoryMiB} MiB and saves ${template.savedMs} ms; ` : '';
  return `${beside}an instance takes ${instance.memoryMiB} MiB${template ? ' more' : ''}, and a cold start ${instance.savedMs} ms`;
}

export function verdictText({ predicted, counted, error, agrees }: Verdict): string {
  const percent = `${error > 0 ? '+' : ''}${(error * 100).toFixed(1)}%`;
  return `${predicted} cold starts predicted, ${counted} counted: ${percent}, ${agrees ? 'within' : 'not within'} ${AGREEMENT * 100}%`;
}
