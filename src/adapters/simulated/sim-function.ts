import type { LogLevel, FunctionError, InvokeHead, SnapshotBlocker, StreamHead } from '../../protocol/mod.ts';
import type { Exit, SandboxSpec } from '../../ports/mod.ts';

/** A function for SimSandboxes: what a real one would do, as callbacks on the given clock and therefore repeatable. */
export type SimFunction = {
  readonly streaming?: boolean;
  readonly blockers?: readonly SnapshotBlocker[];
  /**
   * Init. What it throws is a failed init; otherwise it returns what a fork does: makes an instance's own handler, with state of
   * its own.
   */
  load(init: SimInit): () => SimHandler;
};

export interface SimInit {
  readonly spec: SandboxSpec;
  log(text: string, level?: LogLevel): void;
  /** Init lasts this much longer; beyond the spec's init timeout it has timed out. */
  takes(ms: number): void;
  /** Init ends the process. */
  exit(exit: Exit): never;
}

export type SimHandler = (call: SimCall) => void;

/** One invocation, as the function sees it. After its end, or that of its instance, nothing here has an effect. */
export interface SimCall {
  readonly head: InvokeHead;
  readonly event: Buffer;
  /** The event as JSON. */
  input(): Record<string, unknown>;
  log(text: string, level?: LogLevel): void;
  /** Output of a child process: the instance's, not the invocation's. */
  childOutput(text: string, level?: LogLevel): void;
  after(ms: number, run: () => void): void;
  /** Answers with a value as JSON. */
  respond(value: unknown): void;
  fail(error: FunctionError): void;
  streamHead(head: StreamHead): void;
  /** False while the host holds the stream back: `drained` says when to go on. */
  streamChunk(chunk: Uint8Array): boolean;
  drained(run: () => void): void;
  streamEnd(error?: FunctionError): void;
  /** The answer that follows does not end it: `over` does. */
  goesOn(): void;
  over(): void;
  /** Ends the process of the instance. */
  exit(exit: Exit): void;
}

/** Thrown by SimInit.exit, to leave `load`. */
export class SimExit extends Error {
  readonly exit: Exit;
  constructor(exit: Exit) {
    super('the simulated init has exited');
    this.exit = exit;
  }
}

export function simError(thrown: unknown): FunctionError {
  if (!(thrown instanceof Error)) return { errorType: typeof thrown, errorMessage: String(thrown), stackTrace: [] };
  return { errorType: thrown.name, errorMessage: thrown.message, stackTrace: [`${thrown.name}: ${thrown.message}`] };
}
