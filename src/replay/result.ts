/** What a policy did on a trace. */
export type Result = {
  readonly policy: string;
  readonly functions: number;
  readonly calls: number;
  /** Minutes of functions in which there was a call. */
  readonly activeMinutes: number;
  /** Calls that found nothing held, but not the first of each function, which no policy can know of. */
  readonly coldStarts: number;
  /** Calls that found a template, not an instance. */
  readonly templateStarts: number;
  readonly firstTouches: number;
  /** What part of a function's starts were cold, its first touch not counted: percentiles over functions with more calls than that. */
  readonly coldPercent: { readonly p50: number; readonly p75: number; readonly p90: number };
  readonly memoryMiBSeconds: number;
  /** What 99 of 100 first calls of an active minute waited at most for their instance; first touches are not counted. */
  readonly p99DelayMs: number;
  readonly evictions: number;
  readonly perFunction: readonly FunctionResult[];
};

export type FunctionResult = {
  readonly id: string;
  readonly coldStarts: number;
  readonly templateStarts: number;
  readonly activeMinutes: number;
  readonly memoryMiBSeconds: number;
};

export type SimulateOptions = {
  /**
   * `minutes`: a function is held in a minute or not, and a minute with calls in which it is not held is one cold start; so the
   * literature counts, and so the targets are. `milliseconds`: arrivals are spread in their minutes, and instances are busy while they run.
   */
  readonly resolution: 'minutes' | 'milliseconds';
  /** Of the arrivals within a minute, where `resolution` is milliseconds. */
  readonly seed: number;
  /** Most that may be held at once. */
  readonly limitMemoryMiB?: number;
  /** Whether the trace's schedules are told to the policy. */
  readonly schedules: 'known' | 'unknown';
  /** What of the trace is counted: from the one, up to but without the other. What comes before is learnt from. */
  readonly fromMinute?: number;
  readonly toMinute?: number;
  /** What a cold start takes longer where the trace doesn't say. */
  readonly initMs?: number;
  /** A second rung: what part of a function's memory a template takes, and what part of a cold start it saves. */
  readonly template?: { readonly memoryPart: number; readonly savedPart: number };
};
