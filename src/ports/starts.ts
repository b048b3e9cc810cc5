import type { InvocationReport } from './invocation-report.ts';

/**
 * How an invocation gets its instance. `warm`: one that was there. `fork`: a new one, of a template that was ready. `boot`: a new one, and a
 * sandbox had to be made and init to be run for it. `spawn`: a new plain process, without isolation.
 */
export const START_KINDS = ['warm', 'fork', 'boot', 'spawn'] as const;
export type StartKind = (typeof START_KINDS)[number];

/** Something that happened on the way to an answer, and when. */
export type Step = { readonly name: string; readonly atMs: number };

/** Why an invocation got the instance that it got; docs/tracing.md has every cause and every step. */
export type Start = {
  readonly kind: StartKind;
  readonly cause: string;
  /** What the cause can be told of more closely. */
  readonly detail?: string | undefined;
  /** In order, milliseconds since the invocation arrived: what was done ahead has happened before. Warm starts have none. */
  readonly steps?: readonly Step[] | undefined;
};

/** A start that no invocation asked for, or none that is left. Its steps count from its beginning. */
export type LoneStart = {
  /** Made for it, as there is no request: a UUID. */
  readonly id: string;
  readonly functionName: string;
  readonly version: string;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  readonly start: Start;
};

/** A start as it is read. */
export type StartRecord = {
  /** The invocation's request id, or the lone start's own. */
  readonly id: string;
  readonly functionName: string;
  readonly version: string;
  /** Whether there was an invocation. */
  readonly invoked: boolean;
  /** Epoch milliseconds at which the invocation arrived, or the lone start began. */
  readonly timeMs: number;
  readonly kind: StartKind;
  readonly cause: string;
  readonly detail?: string;
  /** Of a fork: made when it was asked for, or taken from what had been forked ahead. */
  readonly from?: 'template' | 'spare';
  /** From there to the end of the last step. */
  readonly totalMs: number;
  readonly steps: readonly Step[];
};

/** `limit`: the latest so many (default 20, at most 1,000). */
export type StartQuery = { readonly kind?: StartKind; readonly limit?: number };
export const START_QUERY_LIMIT = { default: 20, max: 1_000 } as const;

/** Undefined: the invocation got no instance, or its report was written by a Hearth that didn't record starts. */
export function startOfReport(report: InvocationReport): StartRecord | undefined {
  const { requestId: id, functionName, version, start, startedMs, waitedMs, durationMs } = report;
  if (!start) return undefined;
  const totalMs = hundredths(waitedMs + durationMs);
  const steps = start.steps ?? warmSteps(waitedMs, totalMs);
  const timeMs = startedMs - Math.round(waitedMs);
  return { id, functionName, version, invoked: true, timeMs, ...told(start), ...origin(start), totalMs, steps };
}

export function startOfLone({ id, functionName, version, timeMs, start }: LoneStart): StartRecord {
  const { steps = [] } = start;
  return { id, functionName, version, invoked: false, timeMs, ...told(start), totalMs: steps.at(-1)?.atMs ?? 0, steps };
}

const told = ({ kind, cause, detail }: Start) => ({ kind, cause, ...(detail !== undefined && { detail }) });

/** As drivers name the step. */
const SPARE_TAKEN = 'spare taken';

function origin({ kind, steps = [] }: Start): Pick<StartRecord, 'from'> {
  if (kind !== 'fork') return {};
  return { from: steps.some(({ name }) => name === SPARE_TAKEN) ? 'spare' : 'template' };
}

/** What the report of a warm invocation says anyway. */
function warmSteps(waitedMs: number, totalMs: number): Step[] {
  const waited = waitedMs > 0 ? [{ name: 'decided', atMs: hundredths(waitedMs) }] : [];
  return [{ name: 'arrived', atMs: 0 }, ...waited, { name: 'ended', atMs: totalMs }];
}

/** As times are written and shown. */
export const hundredths = (ms: number): number => Math.round(ms * 100) / 100;
