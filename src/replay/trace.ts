/**
 * A trace: which functions were called when. Every reader makes this form of its own, and the simulator takes nothing else.
 * Minute 0 is the first of the trace. Counts are in order of minutes, without zeros.
 */
import type { Trigger } from '../policy/mod.ts';

export type Trace = {
  readonly name: string;
  readonly minutes: number;
  readonly functions: readonly TraceFunction[];
};

export type TraceFunction = {
  readonly id: string;
  readonly app: string;
  readonly owner?: string;
  readonly trigger: Trigger;
  readonly durationMs: { readonly average: number; readonly p50?: number; readonly p99?: number; readonly max?: number };
  /** What one kept instance takes. */
  readonly memoryMiB: number;
  /** What a cold start takes longer than a warm one. */
  readonly initMs?: number;
  /** Where that is known: how much of the memory is a template's that instances are forked from, and of `initMs` what that saves. */
  readonly template?: { readonly memoryMiB: number; readonly savedMs: number };
  readonly counts: readonly (readonly [minute: number, calls: number])[];
  /** When exactly, since the beginning of minute 0, where that is known; in order, and as many as `counts` has. */
  readonly arrivalsMs?: Float64Array;
  readonly schedule?: TraceSchedule;
};

/** Calls come every `periodMs`, first `phaseMs` after the beginning of minute 0, each up to `jitterMs` late. */
export type TraceSchedule = { readonly periodMs: number; readonly phaseMs: number; readonly jitterMs: number };
