/**
 * How many instances a load needs, as the autoscaler of Knative decides it (KPA: knative.dev, "Autoscaling"; the rules are those of
 * pkg/autoscaler/scaling in knative/serving, and its test cases are this file's too).
 *
 * Load is counted in invocations at a time and averaged twice: over a stable window, which decides, and over the last tenth of it,
 * which decides while there is a burst. A burst begins when the short average wants so many times what is there, and lasts until that
 * has not been so for a stable window; in it the number only rises. Each decision multiplies or divides at most by a rate, and a
 * smaller number waits out the scale-down delay.
 *
 * Invocations never wait for this: without a free slot an instance is forked for them at once. It decides how many are kept ready.
 */
import { maxOf, recordMax } from './windows.ts';
import type { MaxWindow } from './windows.ts';

export type AutoscalerSpec = {
  /** What one instance should have to do, on average, and what it can do at most: in the unit of the load. */
  readonly targetValue: number;
  readonly totalValue: number;
  /** Load that may come at once and is to find room; 0: none in particular; below 0: more than there can be. */
  readonly targetBurstCapacity: number;
  /** How many times what is there the short average must want for a burst. */
  readonly panicThreshold: number;
  /** Above 1. */
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly stableWindowMs: number;
  readonly scaleDownDelayMs: number;
  /** Instances that there are at least where there are any. */
  readonly activationScale: number;
  /** Whether anything can call it: if not, it is scaled down at once. */
  readonly reachable: boolean;
};

export type AutoscalerState = {
  /** When the burst was seen last; undefined: there is none. */
  readonly panicSinceMs: number | undefined;
  /** The most that was wanted in it. */
  readonly maxPanicInstances: number;
  /** Decisions of the scale-down delay, by steps of `TICK_MS`. */
  readonly delayed: MaxWindow;
};

/** Undefined: not known at the moment. */
export type Observation = {
  readonly instances: number | undefined;
  readonly load: { readonly stable: number; readonly panic: number } | undefined;
};

export type Decision = {
  readonly instances: number;
  /** How much more load there is room for, less `targetBurstCapacity`. */
  readonly excessBurstCapacity: number;
};

/** How often it is asked. */
export const TICK_MS = 2_000;
export const STABLE_WINDOW_MS = 60_000;
/** The short window, a tenth of it. */
export const PANIC_WINDOW_MS = STABLE_WINDOW_MS / 10;
/** How long one instance is kept after it was decided that none is needed. */
export const GRACE_TO_ZERO_MS = 30_000;
export const MAX_SCALE_UP_RATE = 1_000;
export const MAX_SCALE_DOWN_RATE = 2;
export const TARGET_BURST_CAPACITY = 211;

/** Whoever begins with several instances knows nothing of their load yet, and keeps them for a stable window, as in a burst. */
export function autoscalerState(instances: number, nowMs: number): AutoscalerState {
  return { panicSinceMs: instances > 1 ? nowMs : undefined, maxPanicInstances: instances, delayed: [] };
}

/** `decision` undefined: too little is known, and things stay as they are. */
export function autoscale(
  spec: AutoscalerSpec,
  state: AutoscalerState,
  { instances, load }: Observation,
  nowMs: number,
): { readonly decision: Decision | undefined; readonly state: AutoscalerState } {
  if (instances === undefined || load === undefined) return { decision: undefined, state };
  const ready = Math.max(1, instances);
  const panicWants = Math.ceil(load.panic / spec.targetValue);
  const stable = withinRates(spec, ready, Math.ceil(load.stable / spec.targetValue));
  const panic = withinRates(spec, ready, panicWants);
  const burst = burstAfter(spec, state, panicWants / ready >= spec.panicThreshold, nowMs);
  const most = burst.panicSinceMs === undefined ? 0 : Math.max(burst.maxPanicInstances, stable, panic);
  const now = burst.panicSinceMs === undefined ? stable : most;
  const delayed = delay(spec, state.delayed, now, nowMs);
  // What was decided during the delay does not count once nothing can come any more.
  const decided = spec.reachable && spec.scaleDownDelayMs > 0 ? maxOf(delayed) : now;
  return {
    decision: { instances: decided, excessBurstCapacity: excess(spec, instances, load.panic) },
    state: { panicSinceMs: burst.panicSinceMs, maxPanicInstances: most, delayed },
  };
}

/** Rounded away from `ready`, so that a rate near 1 still leads somewhere. */
function withinRates(spec: AutoscalerSpec, ready: number, wanted: number): number {
  const least = spec.reachable ? Math.floor(ready / spec.maxScaleDownRate) : 0;
  const allowed = Math.min(Math.max(wanted, least), Math.ceil(spec.maxScaleUpRate * ready));
  return wanted > 0 ? Math.max(allowed, spec.activationScale) : allowed;
}

type Burst = Pick<AutoscalerState, 'panicSinceMs' | 'maxPanicInstances'>;

function burstAfter(spec: AutoscalerSpec, { panicSinceMs, maxPanicInstances }: Burst, over: boolean, nowMs: number): Burst {
  if (over) return { panicSinceMs: nowMs, maxPanicInstances };
  if (panicSinceMs !== undefined && panicSinceMs + spec.stableWindowMs < nowMs) return { panicSinceMs: undefined, maxPanicInstances: 0 };
  return { panicSinceMs, maxPanicInstances };
}

function delay(spec: AutoscalerSpec, delayed: MaxWindow, instances: number, nowMs: number): MaxWindow {
  if (spec.scaleDownDelayMs <= 0) return [];
  return recordMax(delayed, Math.ceil(spec.scaleDownDelayMs / TICK_MS), Math.floor(nowMs / TICK_MS), instances);
}

/** Of the short average: what it says decides who waits, and that should not change with every breath. */
function excess(spec: AutoscalerSpec, instances: number, panicLoad: number): number {
  if (spec.targetBurstCapacity === 0) return 0;
  if (spec.targetBurstCapacity < 0) return -1;
  return Math.floor(instances * spec.totalValue - spec.targetBurstCapacity - panicLoad);
}

export type KeptBounds = {
  readonly least: number;
  /** Not below `least`; Infinity: no bound. */
  readonly most: number;
  readonly graceMs: number;
};

/** `zeroSinceMs`: since when none is needed; undefined: some are, or none is kept. */
export type KeptState = { readonly wanted: number; readonly zeroSinceMs: number | undefined };

/** How many instances to keep when `instances` are decided: within the bounds, and none only when none was needed for a while. */
export function keep({ least, most, graceMs }: KeptBounds, state: KeptState, instances: number, nowMs: number): KeptState {
  const wanted = Math.min(Math.max(instances, least), most);
  if (wanted > 0 || state.wanted === 0) return { wanted, zeroSinceMs: undefined };
  const zeroSinceMs = state.zeroSinceMs ?? nowMs;
  return nowMs - zeroSinceMs >= graceMs ? { wanted: 0, zeroSinceMs: undefined } : { wanted: Math.min(1, most), zeroSinceMs };
}
