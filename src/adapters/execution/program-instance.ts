import type { Clock } from '../../kernel/mod.ts';
import type { Exit, Flow, Instance, InvocationEnd, InvocationListener, Step } from '../../ports/mod.ts';
import { jsonOf } from '../../protocol/mod.ts';
import type { EncodableEvent, FunctionError, InvokeHead, LogLevel, StreamHead } from '../../protocol/mod.ts';
import { Steps } from '../link/mod.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { NOT_FOUND, refuse } from './reply.ts';
import { RuntimeApi } from './runtime-api.ts';
import type { AnswerListener, ApiInvocation, RuntimeListener } from './runtime-api.ts';
import { within } from './within.ts';

export type ProgramInstanceOptions = {
  readonly start: Instance['start'];
  readonly clock: Clock;
  /** Ends the processes. Called once. `wanted`: they were to end; otherwise what became of them is still to be reported. */
  readonly end: (wanted: boolean) => void;
  /** The most memory that its processes have used so far, KiB. */
  readonly memoryKiB: () => number;
  /** Hands on what the processes have written until now. */
  readonly flush: () => void;
  /** Nothing has anything to do (true), or will have (false). */
  readonly idle?: (idle: boolean) => void;
  /** What takes events to the program, if not the Runtime API. */
  readonly runtime?: (listener: RuntimeListener) => EventTaker;
};

/** Takes one event at a time to a program, and brings back what becomes of it. */
export interface EventTaker {
  invoke(invocation: ApiInvocation): void;
  /** Serves a request of one of the program's processes; absent: there is nothing to ask for. */
  handle?(request: IncomingMessage, response: ServerResponse): void;
  /** The program is gone. Settles when what it had sent before has been heard; absent: it has. */
  heard?(): Promise<void>;
}

export type Initialised = { readonly kind: 'ready' };

/** What init came to. */
export type ProgramInit = Initialised | { readonly kind: 'failed'; readonly error: FunctionError };

/** How long the driver's report is awaited after the processes were to end, and the program's answer after that. */
const LAST_WORD_MS = 1_000;
/** In place of the number of an invocation. */
const INIT = 0;

/** An instance that is a program of the function's own, which takes its events from the Runtime API. It runs one invocation at a time. */
export class ProgramInstance implements Instance {
  readonly start: Instance['start'];
  readonly closed: Promise<Exit>;
  readonly ready: Promise<void>;
  readonly steps: Steps;
  /** Settles when the program has asked for its first event, or said that its init has failed; not when it ends before that. */
  readonly initialised: Promise<ProgramInit>;
  onLog: ((text: string, level: LogLevel) => void) | undefined;
  readonly #options: ProgramInstanceOptions;
  readonly #runtime: EventTaker;
  readonly #settleClosed: (exit: Exit) => void;
  #current: Running | undefined;
  #initialised = false;
  #invocations = 0;
  #killed = false;
  #endCalled = false;
  #reported: Exit | undefined;
  #exit: Exit | undefined;

  constructor(options: ProgramInstanceOptions) {
    this.#options = options;
    this.start = options.start;
    this.steps = new Steps(options.clock);
    const closed = Promise.withResolvers<Exit>();
    this.closed = closed.promise;
    this.#settleClosed = closed.resolve;
    const init = Promise.withResolvers<ProgramInit>();
    this.initialised = init.promise;
    this.ready = Promise.race([init.promise, closed.promise]).then(() => {});
    const { runtime = (listener) => new RuntimeApi(listener) } = options;
    this.#runtime = runtime({
      ready: () => {
        this.#initialised = true;
        this.steps.add(options.runtime ? 'port answered' : 'first event asked for');
        options.flush();
        init.resolve({ kind: 'ready' });
      },
      initFailed: (error) => {
        options.flush();
        init.resolve({ kind: 'failed', error });
        this.#failedToBegin();
      },
      waits: (waiting) => options.idle?.(waiting),
    });
  }

  get alive(): boolean {
    return !this.#killed && this.#reported === undefined && this.#exit === undefined;
  }

  /** The number of what it is at work on; undefined: it waits. */
  get oldest(): number | undefined {
    if (this.#current) return this.#invocations;
    return this.#initialised ? undefined : INIT;
  }

  takeSteps(): readonly Step[] {
    return this.steps.take();
  }

  /** Serves a request of one of its processes. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    if (RuntimeApi.owns(request.url!) && this.#runtime.handle) this.#runtime.handle(request, response);
    else refuse(response, NOT_FOUND);
  }

  invoke(head: InvokeHead, event: EncodableEvent, listener: InvocationListener): Flow {
    const running = new Running(this.#options, listener, () => (this.#current = undefined));
    const exit = this.#exit ?? this.#reported;
    if (exit) {
      queueMicrotask(() => listener.end({ kind: 'died', exit }));
      return running;
    }
    this.#current = running;
    this.#invocations++;
    this.#runtime.invoke({ head, event: event instanceof Uint8Array ? event : jsonOf(event), listener: running });
    return running;
  }

  kill(): void {
    if (!this.alive) return;
    this.#killed = true;
    this.#endOnce(true);
    // Later, so that nobody hears of an end from within their own call.
    queueMicrotask(() => this.#conclude({ kind: 'ended' }));
  }

  /** The driver has seen the program end. */
  reportExit(exit: Exit): void {
    this.#reported = exit;
    const end = () => {
      this.#options.flush();
      this.#conclude(exit);
      this.#settleClosed(this.#exit!);
    };
    // Its answer came by another way than the news of its end, and may not have been read.
    if (this.#current && this.#runtime.heard) void within(this.#options.clock, this.#runtime.heard(), LAST_WORD_MS).then(end);
    else end();
  }

  /** One that has been given an invocation ends with it; a template is not made of it. */
  #failedToBegin(): void {
    if (this.#current) this.#conclude({ kind: 'exited', code: 1 });
  }

  #conclude(exit: Exit): void {
    if (this.#exit) return;
    this.#exit = exit;
    this.#endOnce(this.#killed);
    this.#current?.finish({ kind: 'died', exit });
    this.#options.clock.after(LAST_WORD_MS, () => this.#settleClosed(exit));
  }

  #endOnce(wanted: boolean): void {
    if (this.#endCalled) return;
    this.#endCalled = true;
    this.#options.end(wanted);
  }
}

/** One invocation, between the Runtime API and the engine. */
class Running implements Flow, AnswerListener {
  readonly #options: ProgramInstanceOptions;
  readonly #listener: InvocationListener;
  readonly #ended: () => void;
  #flow: Flow | undefined;
  #paused = false;
  #over = false;

  constructor(options: ProgramInstanceOptions, listener: InvocationListener, ended: () => void) {
    this.#options = options;
    this.#listener = listener;
    this.#ended = ended;
  }

  pause(): void {
    this.#paused = true;
    this.#flow?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#flow?.resume();
  }

  flow(flow: Flow): void {
    this.#flow = flow;
    if (this.#paused) flow.pause();
  }

  answered(payload: Buffer): void {
    this.#end((memoryKiB) => ({ kind: 'answered', payload, memoryKiB }));
  }

  failed(error: FunctionError): void {
    this.#end((memoryKiB) => ({ kind: 'failed', error, memoryKiB }));
  }

  streamHead(head: StreamHead): void {
    if (!this.#over) this.#listener.streamHead(head);
  }

  streamChunk(chunk: Buffer): void {
    if (!this.#over) this.#listener.streamChunk(chunk);
  }

  streamEnd(error?: FunctionError): void {
    this.#end((memoryKiB) => ({ kind: 'streamed', memoryKiB, ...(error && { error }) }));
  }

  finish(end: InvocationEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.#listener.end(end);
  }

  /** What the program wrote before it answered is in the log before the answer. */
  #end(make: (memoryKiB: number) => InvocationEnd): void {
    if (this.#over) return;
    this.#options.flush();
    this.finish(make(this.#options.memoryKiB()));
  }
}
