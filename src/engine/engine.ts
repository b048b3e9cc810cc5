import type { StartKind } from '../ports/mod.ts';
import type { EncodableEvent, FunctionError, LogLevel, SnapshotBlocker, StreamHead } from '../protocol/mod.ts';
import type { Deployment } from './deployment.ts';
import type { WarmingView } from './warmer.ts';
import type { WarmingState } from './warming.ts';

/** The data plane: gives an event to an instance of a deployment and the answer to a listener. */
export interface Engine {
  /**
   * Starts an invocation. `listener.end` is called exactly once, at the latest shortly after `timeoutMs` beyond the start of the
   * handler; a caller that goes away calls `abandon`. Never throws: refusals come through `end`.
   */
  invoke(invocation: Invocation, listener: EngineListener): InvocationHandle;
  /**
   * Ends idle instances of deployments with this function name whose id is not among `keepIds`; busy ones finish first. Resolves once
   * every sandbox of those deployments is gone, and with it whatever used their code.
   */
  retire(functionName: string, keepIds?: ReadonlySet<string>): Promise<void>;
  /** Boots the deployment's template ahead of its first invocation and reports how init went. */
  prepare(deployment: Deployment): Promise<PrepareResult>;
  /**
   * Has `scaling` of the deployment apply from now on, to instances that are there too, and makes those that it keeps. Boots a template
   * only where that needs one and there is none. Returns at once: `statsOf` says how far it is.
   */
  rescale(deployment: Deployment): void;
  /**
   * Of all that may run at a time so much is this function's, all versions together: no more of it run, and others leave it that much.
   * Undefined: what is left by all reservations is for all who have none. From now on, also for those that run and wait.
   */
  reserve(functionName: string, executions: number | undefined): void;
  /** Takes no new invocation, lets the running ones finish for at most `graceMs`, then ends every instance. */
  drain(graceMs: number): Promise<void>;
  /** How instances of the deployment come to be; undefined: its init has not run yet. */
  snapshot(deploymentId: string): Snapshot | undefined;
  /** Of every deployment that has a pool. */
  stats(): readonly DeploymentStats[];
  /** Of one deployment; undefined: it has no pool. */
  statsOf(deploymentId: string): DeploymentStats | undefined;
  load(): HostLoad;
  /** Has a deployment held as its policy says, where anything is known of its function: before its first call. */
  resume(deployment: Deployment): void;
  /** What is held of a deployment, and why. Undefined: nobody has called it, or there is no policy. */
  warming(deploymentId: string): WarmingView | undefined;
  /** What the policy has learnt since this was asked last, to be kept. */
  takeWarmingChanges(): WarmingState | undefined;
  /** What the policy has learnt from all functions until now. Undefined: there is no policy. */
  sharedWarming(): Uint8Array | undefined;
  /** A function is gone, and with it what is known of it. Returns the labels of its versions. */
  forget(functionName: string): readonly string[];
}

export type Invocation = {
  readonly deployment: Deployment;
  /** The caller has checked its size; the engine checks it again. */
  readonly event: EncodableEvent;
  /** Given by the caller when it has promised one already; otherwise the engine makes a UUID. */
  readonly requestId?: string;
  readonly trace?: string;
  readonly clientContext?: string;
  readonly identity?: string;
  /** Collect the last 4 KiB of this invocation's log. */
  readonly logTail?: boolean;
  /** What the call came by, for the record: `http` over a function's URL; without it, by the API. */
  readonly trigger?: string;
};

export interface InvocationHandle {
  readonly requestId: string;
  /** Hold back a streamed answer. */
  pause(): void;
  resume(): void;
  /** The reader is gone: nothing of its listener is called any more, `end` included. The function runs to its end, as on Lambda. */
  abandon(): void;
}

export interface EngineListener {
  /** Absent, and the answer is collected: a prelude leads the payload as JSON and eight null bytes, as in what Lambda's Invoke returns. */
  streamHead?(head: StreamHead): void;
  /** A view that is only valid during the call. Absent: a streamed answer is collected and ends as `answered`. */
  streamChunk?(chunk: Buffer): void;
  end(outcome: Outcome): void;
}

/** How an invocation ended. */
export type Outcome =
  /** `payload` is a view that is only valid during the call. */
  | { readonly kind: 'answered'; readonly payload: Buffer; readonly logTail?: string }
  | { readonly kind: 'streamed'; readonly error?: FunctionError; readonly logTail?: string }
  /** The function failed: threw (`handled: false` unless it reported the error itself), exited, timed out, could not be initialised. */
  | { readonly kind: 'functionError'; readonly error: FunctionError; readonly logTail?: string }
  /** It was not run: `TooManyRequestsException`, `RequestTooLargeException`, `ShuttingDown`, `SandboxFailed`. */
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly message: string; readonly reason?: string };

export type RefusalCode = 'TooManyRequestsException' | 'RequestTooLargeException' | 'ShuttingDown' | 'SandboxFailed';

export type Snapshot = {
  /** From one init; if not, each instance runs init by itself. */
  readonly forks: boolean;
  /** What init left open that a fork would not have. */
  readonly blockers: readonly SnapshotBlocker[];
};

export type PrepareResult =
  | { readonly ok: true; readonly initMs: number; readonly blockers: readonly SnapshotBlocker[] }
  | { readonly ok: false; readonly error: FunctionError };

export type DeploymentStats = {
  readonly deploymentId: string;
  readonly functionName: string;
  readonly version: string;
  readonly idle: number;
  readonly busy: number;
  readonly queued: number;
  readonly invocations: number;
  readonly errors: number;
  readonly throttles: number;
  readonly starts: Readonly<Record<StartKind, number>>;
  /** The same by cause. */
  readonly causes: Readonly<Record<StartKind, Readonly<Record<string, number>>>>;
  /** Absent: nothing is kept ahead of demand. */
  readonly kept?: KeptStats;
};

/** Instances kept ahead of demand: the minimum, those provisioned, and what the autoscaler adds. */
export type KeptStats = {
  /** How many there are to be now. */
  readonly wanted: number;
  readonly minimum: number;
  /** Provisioned: how many were asked for, are there or coming up, and can take an invocation. */
  readonly requested: number;
  readonly allocated: number;
  readonly available: number;
  /** Why some are missing, and whether that has been given up: a change of the deployment or its scaling, or a call that succeeds, begins anew. */
  readonly failure?: { readonly reason: string; readonly givenUp: boolean };
  /** Invocations that provisioned instances took, and those beyond. */
  readonly provisionedInvocations: number;
  readonly spilloverInvocations: number;
  /** How much more than now could come at once and find an instance there, less what is to be held free for that; negative: too little is. */
  readonly excessBurstCapacity: number;
};

/** All functions together. */
export type HostLoad = {
  readonly running: number;
  readonly waiting: number;
  /** How what may run at a time is divided: all functions without a reservation together, and the others by name. */
  readonly shares: { readonly unreserved: ShareLoad; readonly reserved: Readonly<Record<string, ShareLoad>> };
  readonly instances: number;
  /** What instances and templates are taken to hold of memory, and what they may; absent: no limit of their own. */
  readonly committedMiB: number;
  readonly memoryMiB?: number;
  readonly boots: { readonly going: number; readonly waiting: number };
  /** So many idle ones have made room since the start. */
  readonly evicted: { readonly instances: number; readonly templates: number };
  /** Whether some who wait are being refused for overload, and how many were since the start. */
  readonly shedding: boolean;
  readonly shed: number;
};

/** What runs at a time, and may. */
export type ShareLoad = { readonly running: number; readonly limit: number };

/** Log line as the engine emits it: START, END, REPORT and the function's own. */
export type EngineLog = {
  readonly functionName: string;
  readonly version: string;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  /** Absent: outside of any invocation, e.g. during init. */
  readonly requestId?: string;
  /** On the function's own lines; the platform's have none. */
  readonly level?: LogLevel;
  /** As it stands in Lambda's log: the runtime has put time, request id and level before what `console` is given. */
  readonly text: string;
};
