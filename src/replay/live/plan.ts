/**
 * A part of a trace, pressed together in time, that a real platform can be driven with: so few functions and calls that neither the machine
 * nor the connections decide anything, and of these the ones that show most about keeping. Calls that would run beside each other in one function
 * are left out, as whether they wait or start another instance is a matter of milliseconds, and not one of how long instances are kept.
 */
import { countsOf } from '../counts.ts';
import type { Trace, TraceFunction } from '../trace.ts';
import { arrivalsOf } from './arrivals.ts';
import { predictStarts } from './predict.ts';
import type { LiveCosts, LivePolicy } from './predict.ts';

export type LiveOptions = {
  /** Trace time over real time. */
  readonly speed: number;
  readonly seed: number;
  /** By which the platform decides. */
  readonly policy: LivePolicy;
  /** What a function takes there that is made for this. */
  readonly measured: LiveCosts;
  /** In real time between the end of a call and the next of the same function: longer than a start takes, and a busy machine is late. */
  readonly apartMs: number;
  readonly maxFunctions: number;
  readonly maxCalls: number;
  /** Of all functions together, by prediction: a machine that boots all the time decides by that who waits. */
  readonly maxColdStarts: number;
  /** Of all functions together, in any second of real time. */
  readonly maxCallsPerSecond: number;
  readonly fromMinute: number;
  readonly toMinute: number;
};

/** `function`: its place among the functions of the plan. `atMs` and `runMs` are real time, from the beginning of the drive. */
export type LiveCall = { readonly function: number; readonly atMs: number; readonly runMs: number };

export type LivePlan = {
  /** The same calls in trace time, for a simulator: it thinks in minutes. */
  readonly trace: Trace;
  readonly speed: number;
  readonly calls: readonly LiveCall[];
  readonly lengthMs: number;
  /** Functions of the trace that called for more than there is room for, and calls of the others that would have run beside another. */
  readonly leftOut: { readonly functions: number; readonly calls: number };
};

const MINUTE_MS = 60_000;
/** What a call takes at least, and at most, in real time. */
const RUN_MS = { min: 1, max: 500 } as const;

export function planLive(trace: Trace, options: LiveOptions): LivePlan {
  const candidates = trace.functions
    .map((subject) => candidateOf(subject, options))
    .filter(({ calls }) => calls.length > 0)
    .toSorted(
      (one, other) => other.tells - one.tells || one.calls.length - other.calls.length || (one.subject.id < other.subject.id ? -1 : 1),
    );
  const { chosen, perSecond } = { chosen: [] as Candidate[], perSecond: new Map<number, number>() };
  let count = 0;
  let cold = 0;
  for (const candidate of candidates) {
    if (chosen.length >= options.maxFunctions) break;
    if (count + candidate.calls.length > options.maxCalls || cold + candidate.cold > options.maxColdStarts) continue;
    if (!fits(candidate, perSecond, options.maxCallsPerSecond)) continue;
    chosen.push(candidate);
    count += candidate.calls.length;
    cold += candidate.cold;
  }
  const lengthMs = ((options.toMinute - options.fromMinute) * MINUTE_MS) / options.speed;
  return {
    trace: {
      name: trace.name,
      minutes: options.toMinute - options.fromMinute,
      functions: chosen.map((candidate) => liveFunction(candidate, options)),
    },
    speed: options.speed,
    calls: chosen
      .flatMap(({ calls, runMs }, index) => calls.map((atMs) => ({ function: index, atMs, runMs })))
      .toSorted((one, other) => one.atMs - other.atMs),
    lengthMs,
    leftOut: {
      functions: candidates.length - chosen.length,
      calls: chosen.reduce((sum, { crowded }) => sum + crowded, 0),
    },
  };
}

type Candidate = {
  readonly subject: TraceFunction;
  readonly calls: readonly number[];
  readonly runMs: number;
  readonly crowded: number;
  /** How often it will be started cold, as far as is known. */
  readonly cold: number;
  /** How often its instance will have been given up when it is called, and more so if at other times it will not. */
  readonly tells: number;
};

function candidateOf(subject: TraceFunction, options: LiveOptions): Candidate {
  const { speed, seed, apartMs, fromMinute, toMinute, maxCalls } = options;
  const runMs = Math.round(Math.min(RUN_MS.max, Math.max(RUN_MS.min, subject.durationMs.average / speed)));
  const calls: number[] = [];
  let crowded = 0;
  let endMs = -Infinity;
  for (const traceMs of arrivalsOf(subject, { seed, fromMinute, toMinute })) {
    const atMs = traceMs / speed;
    if (atMs < endMs + apartMs) {
      crowded++;
      continue;
    }
    calls.push(atMs);
    endMs = atMs + runMs;
    // It has no room in the plan in any case.
    if (calls.length > maxCalls) break;
  }
  const candidate = { subject, calls, runMs, crowded };
  // Whoever calls more often than once a minute is held by every policy, and takes longest to simulate.
  if (calls.length > Math.min(maxCalls, toMinute - fromMinute)) return { ...candidate, cold: 0, tells: 0 };
  const minutes = toMinute - fromMinute;
  const alone = { name: subject.id, minutes, functions: [liveFunction(candidate, options)] };
  const { cold } = predictStarts(alone, { policy: options.policy, measured: options.measured, speed }).get(subject.id)!;
  const kept = Math.max(0, calls.length - 1 - cold);
  return { ...candidate, cold, tells: cold + 2 * Math.min(cold, kept) };
}

/** Books the candidate's calls where every second has room for its share. */
function fits({ calls }: Candidate, perSecond: Map<number, number>, most: number): boolean {
  const own = new Map<number, number>();
  for (const atMs of calls) {
    const second = Math.floor(atMs / 1_000);
    own.set(second, (own.get(second) ?? 0) + 1);
  }
  for (const [second, count] of own) if ((perSecond.get(second) ?? 0) + count > most) return false;
  for (const [second, count] of own) perSecond.set(second, (perSecond.get(second) ?? 0) + count);
  return true;
}

function liveFunction(
  { subject: { id, app, memoryMiB }, calls, runMs }: Omit<Candidate, 'tells' | 'cold'>,
  { speed, fromMinute, toMinute }: LiveOptions,
): TraceFunction {
  const durationMs = { average: runMs * speed, max: runMs * speed };
  const inTraceMs = calls.map((atMs) => atMs * speed);
  // The calls come by the platform's API, which says nothing of what is behind them.
  return { id, app, trigger: 'others', durationMs, memoryMiB, ...called(inTraceMs, toMinute - fromMinute) };
}

/** `atMs`: in trace time, in order. There and back some may have been rounded up to the end; and those that were late may lie after it. */
function called(atMs: readonly number[], minutes: number): Pick<TraceFunction, 'counts' | 'arrivalsMs'> {
  const lastMs = minutes * MINUTE_MS - 1;
  const arrivalsMs = Float64Array.from(atMs, (each) => Math.min(lastMs, each));
  return { counts: countsOf(arrivalsMs), arrivalsMs };
}

/**
 * The plan's calls as they were made, for a simulator: a machine that has something else to do sends some late, and a pause that is
 * longer or shorter by that is what the platform's policy has seen. `sentMs`: of each call, in real time from the beginning of the drive.
 */
export function drivenTrace({ trace, speed, calls }: LivePlan, sentMs: ArrayLike<number>): Trace {
  const sent = trace.functions.map((): number[] => []);
  for (const [index, call] of calls.entries()) sent[call.function]!.push(sentMs[index]! * speed);
  return { ...trace, functions: trace.functions.map((one, index) => ({ ...one, ...called(sent[index]!, trace.minutes) })) };
}
