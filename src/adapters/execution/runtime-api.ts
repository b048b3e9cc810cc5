/**
 * The Lambda Runtime API, version 2018-06-01, of one execution environment: a runtime asks for the next event and posts what became of it.
 * Its states and answers are those that AWS documents ("Using the Lambda runtime API for custom runtimes").
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LIMITS } from '../../kernel/mod.ts';
import { HTTP_INTEGRATION } from '../../protocol/mod.ts';
import type { FunctionError, InvokeHead, StreamHead } from '../../protocol/mod.ts';
import { functionErrorOf, trailerErrorOf } from './function-error.ts';
import { PreludeReader } from './prelude.ts';
import { INVALID_REQUEST_ID, NOT_FOUND, accept, bodyOf, headerOf, invalidTransition, refuse, reply, tooLarge } from './reply.ts';

/** Hears of what the runtime as a whole does. */
export interface RuntimeListener {
  /** It asks for its first event: its init is done. */
  ready(): void;
  initFailed(error: FunctionError): void;
  /** It asks for an event and there is none (true), or it has been given one (false). */
  waits(waiting: boolean): void;
}

/** Hears of the answer to one invocation: either `answered` or `failed`, or a stream's head, chunks and end. */
export interface AnswerListener {
  answered(payload: Buffer): void;
  failed(error: FunctionError): void;
  streamHead(head: StreamHead): void;
  /** A view that is only valid during the call. Before it `flow` is called. */
  streamChunk(chunk: Buffer): void;
  streamEnd(error?: FunctionError): void;
  /** A stream begins, and this is how it is held back. */
  flow(flow: { pause(): void; resume(): void }): void;
}

export type ApiInvocation = { readonly head: InvokeHead; readonly event: string | Uint8Array; readonly listener: AnswerListener };

/** The words that Lambda has for them. */
type State = 'Started' | 'Ready' | 'Running' | 'Responding' | 'ResponseSent' | 'InitError';

/** Lambda's limit, and the 100 bytes that it grants on top. */
export const RESPONSE_BYTES = LIMITS.payloadBytes + 100;
/** Of requests for an event that wait at a time; there is one event at a time, so more than one is a mistake or many threads. */
const WAITING = 64;
const PREFIX = '/2018-06-01/runtime/';
/** Of the event loop: a connection is taken in one, a request read in the next. */
const TURNS = 4;
const INVOCATION = /^invocation\/([^/]+)\/(response|error)$/;

export class RuntimeApi {
  readonly #listener: RuntimeListener;
  #state: State = 'Started';
  readonly #waiting: ServerResponse[] = [];
  /** Given, or to be given. */
  #invocation: ApiInvocation | undefined;
  #whenAnswered: (() => void) | undefined;

  constructor(listener: RuntimeListener) {
    this.#listener = listener;
  }

  /** The runtime is gone. Settles when it has been heard whether it had answered before. */
  async heard(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (this.#state === 'Responding') await new Promise<void>((resolve) => (this.#whenAnswered = resolve));
  }

  /** Whether a request is one to this API. */
  static owns(path: string): boolean {
    return path.startsWith(PREFIX);
  }

  /** Gives the runtime an event as soon as it asks for one. One at a time. */
  invoke(invocation: ApiInvocation): void {
    this.#invocation = invocation;
    this.#give();
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url!.slice(PREFIX.length);
    const call = `${request.method} ${path}`;
    const [, id, what] = INVOCATION.exec(path) ?? [];
    if (call === 'GET invocation/next') this.#next(response);
    else if (call === 'POST init/error') void this.#initError(request, response);
    else if (call === 'GET restore/next') this.#restoreNext(response);
    else if (call === 'POST restore/error') void this.#initError(request, response);
    else if (request.method !== 'POST' || id === undefined) refuse(response, NOT_FOUND);
    else if (what === 'response') this.#respond(id, request, response);
    else void this.#error(id, request, response);
  }

  #next(response: ServerResponse): void {
    const state = this.#state;
    if (state === 'Running' || state === 'Responding' || state === 'InitError' || this.#waiting.length >= WAITING)
      return refuse(response, invalidTransition('runtime', state, 'Ready'));
    this.#state = 'Ready';
    this.#waiting.push(response);
    response.once('close', () => {
      const index = this.#waiting.indexOf(response);
      if (index !== -1) this.#waiting.splice(index, 1);
    });
    if (state === 'Started') this.#listener.ready();
    if (this.#invocation) this.#give();
    else this.#listener.waits(true);
  }

  #give(): void {
    const { head, event } = this.#invocation!;
    if (this.#state !== 'Ready') return;
    const response = this.#waiting.shift();
    if (!response) return;
    this.#state = 'Running';
    this.#listener.waits(false);
    response.writeHead(200, { ...headersOf(head), 'content-type': 'application/json', 'content-length': Buffer.byteLength(event) });
    response.end(event);
  }

  /** There is no snapshot of a program that runs: it is as if it had been taken and restored at once. */
  #restoreNext(response: ServerResponse): void {
    if (this.#state === 'Started') reply(response, 200, {});
    else refuse(response, invalidTransition('runtime', this.#state, 'RestoreReady'));
  }

  async #initError(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const state = this.#state;
    if (state !== 'Started') return refuse(response, invalidTransition('runtime', state, 'InitError'));
    this.#state = 'InitError';
    const body = await bodyOf(request, RESPONSE_BYTES);
    if (body === 'too large') refuse(response, tooLarge(RESPONSE_BYTES));
    else accept(response);
    this.#listener.initFailed(functionErrorOf(request, Buffer.isBuffer(body) ? body : Buffer.alloc(0)));
  }

  /** The invocation that an answer is to; undefined: it is to none, and that was said. */
  #answering(id: string, response: ServerResponse, to: string): ApiInvocation | undefined {
    const invocation = this.#invocation;
    if (this.#state !== 'Running' || !invocation) {
      refuse(response, invalidTransition('runtime', this.#state, to));
      return undefined;
    }
    if (invocation.head.id !== id) {
      refuse(response, INVALID_REQUEST_ID);
      return undefined;
    }
    this.#state = 'Responding';
    return invocation;
  }

  #answered(): void {
    this.#state = 'ResponseSent';
    this.#invocation = undefined;
    // When that has been told.
    if (this.#whenAnswered) setImmediate(this.#whenAnswered);
  }

  #respond(id: string, request: IncomingMessage, response: ServerResponse): void {
    const invocation = this.#answering(id, response, 'InvocationResponse');
    if (!invocation) return;
    if (headerOf(request, 'lambda-runtime-function-response-mode') === 'streaming') this.#stream(invocation.listener, request, response);
    else void this.#respondWhole(invocation.listener, request, response);
  }

  async #respondWhole(listener: AnswerListener, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request, RESPONSE_BYTES);
    this.#answered();
    if (Buffer.isBuffer(body)) {
      // The runtime may go on while who has called is answered.
      accept(response);
      listener.answered(body);
      return;
    }
    if (body === 'too large') refuse(response, tooLarge(RESPONSE_BYTES));
    listener.failed(body === 'too large' ? responseTooLarge() : truncated());
  }

  async #error(id: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const invocation = this.#answering(id, response, 'InvocationErrorResponse');
    if (!invocation) return;
    const body = await bodyOf(request, RESPONSE_BYTES);
    this.#answered();
    if (body === 'too large') refuse(response, tooLarge(RESPONSE_BYTES));
    else accept(response);
    invocation.listener.failed(Buffer.isBuffer(body) ? functionErrorOf(request, body) : truncated());
  }

  #stream(listener: AnswerListener, request: IncomingMessage, response: ServerResponse): void {
    const contentType = headerOf(request, 'content-type') ?? 'application/octet-stream';
    let prelude = contentType === HTTP_INTEGRATION ? new PreludeReader() : undefined;
    let over = false;
    const end = (error?: FunctionError) => {
      if (over) return;
      over = true;
      this.#answered();
      accept(response);
      // One that breaks off before its head has been read has no beginning that could be shown.
      if (prelude) listener.failed(error ?? truncated());
      else listener.streamEnd(error);
    };
    listener.flow({ pause: () => void request.pause(), resume: () => void request.resume() });
    if (!prelude) listener.streamHead({ contentType });
    request.on('data', (chunk: Buffer) => {
      if (over) return;
      if (!prelude) return listener.streamChunk(chunk);
      try {
        const cut = prelude.push(chunk);
        if (!cut) return;
        prelude = undefined;
        listener.streamHead({ contentType: HTTP_INTEGRATION, prelude: cut.prelude });
        if (cut.rest.length > 0) listener.streamChunk(cut.rest);
      } catch (error) {
        end({ errorType: 'Runtime.InvalidResponse', errorMessage: error instanceof Error ? error.message : String(error) });
      }
    });
    request.once('end', () => end(trailerErrorOf(request)));
    request.once('close', () => end(truncated()));
    request.once('error', () => end(truncated()));
  }
}

function headersOf({ id, deadlineMs, arn, trace, clientContext, identity }: InvokeHead): Record<string, string> {
  return {
    'Lambda-Runtime-Aws-Request-Id': id,
    'Lambda-Runtime-Deadline-Ms': String(deadlineMs),
    'Lambda-Runtime-Invoked-Function-Arn': arn,
    ...(trace !== undefined && { 'Lambda-Runtime-Trace-Id': trace }),
    ...(clientContext !== undefined && { 'Lambda-Runtime-Client-Context': asHeader(clientContext) }),
    ...(identity !== undefined && { 'Lambda-Runtime-Cognito-Identity': asHeader(identity) }),
  };
}

/** JSON texts, in characters that a header may have: JSON can say every other by its number. */
export const asHeader = (json: string): string =>
  json
    .replaceAll(/[\r\n\t]/g, ' ')
    .replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

export const responseTooLarge = (): FunctionError => ({
  errorType: 'Function.ResponseSizeTooLarge',
  errorMessage: `Response payload size exceeded maximum allowed payload size (${RESPONSE_BYTES} bytes).`,
});

export const truncated = (): FunctionError => ({
  errorType: 'Runtime.TruncatedResponse',
  errorMessage: 'The runtime broke off while it answered.',
});
