/**
 * Recorded invocations as lines of JSON: a header, one line an invocation, and a last line, by which a reader knows that nothing broke off.
 * Written by the admin API, read by `hearth replay`; docs/replay.md describes it.
 */
export const INVOCATION_TRACE = { key: 'hearthTrace', version: 1 } as const;

export type TraceHeader = {
  readonly hearthTrace: typeof INVOCATION_TRACE.version;
  /** Epoch milliseconds. */
  readonly exportedMs: number;
  readonly sinceMs?: number;
  /** Names of functions are hashes, by a key that nobody has. */
  readonly anonymous?: boolean;
};

/** The log of this function was full: earlier invocations are missing. */
export type TraceCut = { readonly function: string; readonly cut: true };

export type TraceInvocation = {
  readonly function: string;
  readonly version: string;
  /** When it arrived, epoch milliseconds. */
  readonly atMs: number;
  /** From then until it had an instance. */
  readonly waitMs: number;
  readonly durationMs: number;
  /** Of the first invocation after an init. */
  readonly initMs?: number;
  /** How it got its instance, and why; as docs/tracing.md names them. */
  readonly start?: string;
  readonly cause?: string;
  readonly memoryMiB: number;
  readonly usedMiB: number;
  /** `http`, `invoke`, or what else a call can come by. */
  readonly trigger: string;
  /** `ok`, or how it failed. */
  readonly status: string;
};

/** `limited`: there was more than an export may have. */
export type TraceEnd = { readonly end: true; readonly invocations: number; readonly limited?: true };

export type TraceLine = TraceHeader | TraceCut | TraceInvocation | TraceEnd;
