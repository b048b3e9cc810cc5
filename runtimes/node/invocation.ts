/** One invocation, as the loop that serves it keeps it. */
import type { Background } from './background.ts';
import type { LogScope } from './console.ts';
import type { Completion, Context } from './context.ts';

/** What an invocation is answered by. */
export interface Answering {
  answer(invocation: Invocation, result: unknown): void;
  fail(invocation: Invocation, thrown: unknown): void;
}

/** The stream of an answer. */
export interface Streamed {
  /** Whether the head has gone out: an error can then only break the stream off. */
  readonly begun: boolean;
  /** Absent: it ends with the promise of the one who writes. */
  readonly writableEnded?: boolean;
  /** The invocation is over: nothing may follow. */
  seal(): void;
}

export class Invocation implements Completion {
  context: Context | undefined;
  /** It has been answered. */
  over = false;
  /** The handler returned a promise: when nothing is left that could settle it, that is an error. */
  async = false;
  called = false;
  held: { readonly result: unknown } | undefined;
  response: Streamed | undefined;
  /** Of an edge module. What is pending there when it is answered keeps the invocation going. */
  background: Background | undefined;
  readonly stream: number;
  readonly server: Answering;
  readonly scope: LogScope | undefined;

  constructor(stream: number, server: Answering, scope: LogScope | undefined) {
    this.stream = stream;
    this.server = server;
    this.scope = scope;
  }

  done(error: unknown, result?: unknown): void {
    if (error !== undefined && error !== null) this.server.fail(this, error);
    else this.server.answer(this, result);
  }

  /** Node's callback: a result waits until the event loop is empty, unless the handler said otherwise. */
  callback(error: unknown, result: unknown): void {
    if (this.called) return;
    this.called = true;
    if ((error !== undefined && error !== null) || !this.context!.callbackWaitsForEmptyEventLoop || this.scope) this.done(error, result);
    else this.held = { result };
  }
}
