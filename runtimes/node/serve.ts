/**
 * The invocation loop. One at a time: wait for an invocation, blocking; call the handler; answer; let the event loop turn once, unless
 * there is nothing in it; wait again. Between two invocations the process is frozen, and what the handler left running goes on with the
 * next one, as on Lambda. An edge module may go on after its answer, with what `waitUntil` was given: the next one waits until that is over.
 * Several at a time: the event loop runs all the while, and each invocation has its own scope for its output.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { readUint32 } from '../ladder/uint32.ts';
import { machineMs } from '../ladder/steps.ts';
import { uncurry } from '../ladder/uncurry.ts';
import { Background } from './background.ts';
import type { Begin, Birth } from './birth.ts';
import type { Channel } from './channel.ts';
import { HEAD_BYTES, KIND, MAX_PAYLOAD_BYTES } from './channel.ts';
import type { LogScope } from './console.ts';
import { flushLines, logError, setLogScope, setLogStore } from './console.ts';
import type { Context, InvokeHead } from './context.ts';
import { createContext } from './context.ts';
import { FrameOutput } from './edge-output.ts';
import { ending } from './ending.ts';
import { toFunctionError } from './errors.ts';
import type { FunctionError } from './errors.ts';
import { Forms } from './forms.ts';
import { Invocation } from './invocation.ts';
import type { Answering } from './invocation.ts';
import { leave } from './leave.ts';
import { Leftovers } from './leftovers.ts';
import type { Loaded } from './loaded.ts';
import { isThenable, neverSettled } from './settling.ts';
import { ResponseStream, finished } from './streaming.ts';
import { tierUp } from './tiers.ts';
import { setTrace } from './trace.ts';

export type ServeOptions = {
  readonly concurrency: number;
  /** Ends the process at once, without anything more being run. */
  readonly exit: (code: number) => void;
};

/**
 * Prepares to serve, and returns how to begin: a template prepares once for all its children. One at a time: waits for the first invocation,
 * begins it and returns; the event loop, or the blocking wait in it, then keeps the process going until the host closes the channel. `birth`
 * is told with the first answer.
 */
export function prepareServing(loaded: Loaded, channel: Channel, { concurrency, exit }: ServeOptions): Begin {
  const server = new Server(loaded, channel);
  const fault = (error: FunctionError) => server.fault(error);
  const idle = () => server.idle();
  return (birth, evented = false) => {
    ending.exit = exit;
    ending.fault = fault;
    ending.idle = idle;
    server.birth = birth;
    if (concurrency > 1 || evented) void server.listen();
    else server.begin();
  };
}

/** Returns how to serve `count` invocations that have been sent already, of which nothing is kept: for rehearsals. */
export function prepareRehearsal(loaded: Loaded, channel: Channel): (count: number) => void {
  const server = new Server(loaded, channel);
  return (count) => {
    for (let served = 0; served < count; served++) server.serveOne(false);
  };
}

const { parse, stringify } = JSON;
const { setImmediate, Set: NativeSet } = globalThis;
const add = uncurry<Set<Invocation>, [Invocation], unknown>(Set.prototype.add);
const remove = uncurry<Set<Invocation>, [Invocation], boolean>(Set.prototype.delete);
const forEach = uncurry<Set<Invocation>, [(invocation: Invocation) => void], void>(Set.prototype.forEach);
const { resourceUsage } = process;
/** What Node runs after each callback: microtasks, ticks, and what becomes of rejections. Not documented, and all goes without it too. */
const drain = (process as unknown as { _tickCallback?: () => void })._tickCallback ?? (() => {});
const ALWAYS_MEASURED = 16;
const MEASURED_EVERY = 16;
const MEASURED_AGAIN_MS = 20;
const now = performance.now.bind(performance);
const { byteLength, from: encode } = Buffer;
const slice = uncurry<Buffer, [number, number], Buffer>((Buffer.prototype as Buffer).subarray);
const NO_EVENT = encode('{}');
const CALLBACK_PARAMETERS = 3;
/** Lambda's limit of 6 MB and the 100 bytes it grants on top; the host enforces its own. */
const MAX_RESPONSE_BYTES = Math.min(6_291_556, MAX_PAYLOAD_BYTES - HEAD_BYTES);

class Server implements Answering {
  readonly #loaded: Loaded;
  readonly #channel: Channel;
  /** One at a time: the one. */
  #current: Invocation | undefined;
  /** Several at a time: all of them. */
  readonly #running = new NativeSet<Invocation>();
  /** What follows from the invocation's end is seen to after it. */
  #beginning = false;
  readonly #leftovers = new Leftovers();
  readonly #forms = new Forms();
  #answers = 0;
  #maxRss = 0;
  #measuredMs = 0;
  birth: Birth | undefined;

  constructor(loaded: Loaded, channel: Channel) {
    this.#loaded = loaded;
    this.#channel = channel;
  }

  /** One at a time: the first invocation. Its caller is a microtask, in which nothing can be drained. */
  begin(): void {
    if (this.serveOne(false)) this.#rest();
  }

  /** One at a time, from an immediate: waits for the next invocation and begins it; so on while handlers answer at once and leave nothing to the event loop. */
  readonly #next = (): void => {
    this.#leftovers.turned();
    let open = true;
    try {
      do open = this.serveOne(true);
      while (open && !this.#current && this.#leftovers.none());
    } finally {
      // Also when user code threw: that goes on to Node, and may or may not end the process.
      if (open) this.#rest();
    }
  };

  /** Whether there was an invocation; false: the host has closed. */
  serveOne(drained: boolean): boolean {
    if (!this.#channel.read()) {
      leave();
      return false;
    }
    if (!drained && this.birth) this.birth.eventMs = machineMs();
    this.#beginning = true;
    try {
      this.#begin(undefined);
      // Most handlers need no more than this: then the event loop has nothing to do.
      if (drained) drain();
    } finally {
      this.#beginning = false;
    }
    return true;
  }

  #rest(): void {
    if (!this.#current) this.#turn();
  }

  #turn(): void {
    this.#leftovers.turning();
    setImmediate(this.#next);
  }

  /** Several at a time: begins invocations as they arrive. */
  async listen(): Promise<void> {
    const { Socket } = await import('node:net');
    const scopes = new AsyncLocalStorage<LogScope>();
    setLogStore(scopes);
    this.#channel.becomeEvented();
    const socket = new Socket({ fd: this.#channel.fd, readable: true, writable: false });
    const beginAll = (): void => {
      while (this.#channel.next()) {
        const scope: LogScope = { stream: this.#channel.stream, requestId: undefined };
        scopes.run(scope, () => this.#begin(scope));
      }
    };
    socket.on('data', (bytes: Buffer) => {
      this.#channel.feed(bytes);
      beginAll();
    });
    socket.on('error', leave);
    socket.on('close', leave);
    // What was read before the hooks ran.
    beginAll();
  }

  #begin(scope: LogScope | undefined): void {
    const { kind, stream, from, to, buffer } = this.#channel;
    if (kind !== KIND.invoke && kind !== KIND.invokeForm) throw new Error(`the host sent a frame of kind ${kind}`);
    const invocation = new Invocation(stream, this, scope);
    if (scope) add(this.#running, invocation);
    else this.#current = invocation;
    try {
      let head: InvokeHead;
      let event: unknown;
      let eventAt = to;
      if (kind === KIND.invokeForm) ({ head, event } = this.#forms.read(this.#channel));
      else {
        eventAt = from + 4 + readUint32(buffer, from);
        head = parse(this.#channel.text(from + 4, eventAt)) as InvokeHead;
        event = {};
      }
      if (scope) scope.requestId = head.id;
      else {
        setLogScope(stream, head.id);
        setTrace(head.trace);
      }
      // What is wrong with an event is told in the invocation's own log.
      const { afterBytes } = this.#loaded;
      if (afterBytes) {
        const bytes = kind === KIND.invokeForm ? encode(stringify(event)) : eventAt < to ? slice(buffer, eventAt, to) : NO_EVENT;
        return this.#callWithBytes(invocation, bytes, afterBytes);
      }
      if (eventAt < to) event = parse(this.#channel.text(eventAt, to));
      if (this.#loaded.edge) {
        void this.#request(invocation, event);
        return;
      }
      const context = createContext(this.#loaded.facts, head, invocation);
      invocation.context = context;
      if (this.#loaded.streaming) this.#stream(invocation, event, context);
      else this.#call(invocation, event, context);
    } catch (error) {
      this.fail(invocation, error);
    }
  }

  #call(invocation: Invocation, event: unknown, context: Context): void {
    const { handler, returnsValues } = this.#loaded;
    const result = handler(event, context, (error: unknown, value: unknown) => invocation.callback(error, value));
    if (isThenable(result)) void this.#settle(invocation, result);
    else if (returnsValues && result !== undefined && handler.length < CALLBACK_PARAMETERS) this.answer(invocation, result);
  }

  #callWithBytes(invocation: Invocation, event: Uint8Array, after: () => void): void {
    try {
      this.#send(invocation, KIND.response, this.#loaded.handler(event) as Uint8Array);
    } catch (error) {
      this.fail(invocation, error);
    }
    after();
  }

  /** `await` rather than `then`: it does not depend on what user code made of Promise.prototype. */
  async #settle(invocation: Invocation, promise: PromiseLike<unknown>): Promise<void> {
    invocation.async = true;
    let result: unknown;
    try {
      result = await promise;
    } catch (error) {
      this.fail(invocation, error ?? 'handled');
      return;
    }
    this.answer(invocation, result);
  }

  #stream(invocation: Invocation, event: unknown, context: Context): void {
    const response = new ResponseStream(this.#channel, invocation.stream, this.#loaded.highWaterMark);
    invocation.response = response;
    const result = this.#loaded.handler(event, response, context);
    if (!isThenable(result)) throw new Error('Streaming does not support non-async handlers.');
    void this.#settleStream(invocation, response, result);
  }

  async #settleStream(invocation: Invocation, response: ResponseStream, promise: PromiseLike<unknown>): Promise<void> {
    invocation.async = true;
    try {
      if ((await promise) !== undefined) console.warn('Streaming handlers ignore return values.');
      await finished(response);
    } catch (error) {
      this.fail(invocation, error ?? 'handled');
      return;
    }
    this.#send(invocation, KIND.streamEnd, '');
  }

  /** To an edge module. What it still does when it has answered is waited for. */
  async #request(invocation: Invocation, event: unknown): Promise<void> {
    const output = new FrameOutput(this.#channel, invocation.stream);
    const background = new Background(() => this.#settled(invocation));
    invocation.response = output;
    invocation.background = background;
    invocation.async = true;
    let text: unknown;
    try {
      text = await this.#loaded.handler(event, output, background);
    } catch (error) {
      this.fail(invocation, error ?? 'handled');
      return;
    }
    if (typeof text === 'string') this.#answer(invocation, text);
    else this.#send(invocation, KIND.streamEnd, '');
  }

  answer(invocation: Invocation, result: unknown): void {
    if (invocation.over) return;
    let text: string;
    try {
      // A function or a symbol has no JSON text: it counts as nothing.
      text = result === undefined ? 'null' : (stringify(result) ?? 'null');
    } catch (error) {
      this.fail(invocation, new Error(`Unable to stringify response body: ${toFunctionError(error).errorMessage}`, { cause: error }));
      return;
    }
    this.#answer(invocation, text);
  }

  #answer(invocation: Invocation, text: string): void {
    if (text.length > MAX_RESPONSE_BYTES / 3 && byteLength(text) > MAX_RESPONSE_BYTES) this.#refuse(invocation);
    else this.#send(invocation, KIND.response, text);
  }

  fail(invocation: Invocation, thrown: unknown): void {
    if (invocation.over) return;
    logError('Invoke Error', thrown);
    this.#sendError(invocation, toFunctionError(thrown));
  }

  /** The process is about to end: whatever runs ends with this error. */
  fault(error: FunctionError): void {
    this.#each((invocation) => this.#sendError(invocation, error, true));
  }

  /** The event loop is empty. Answering keeps the process going: it then waits for the next invocation. */
  idle(): void {
    this.#each((invocation) => {
      if (invocation.held) this.answer(invocation, invocation.held.result);
      else if (invocation.response?.writableEnded === false) this.fail(invocation, new Error('Response stream is not finished.'));
      else if (invocation.async) this.fail(invocation, neverSettled());
      else this.answer(invocation, null);
      // Nor will what was to be done beside the answer.
      if (invocation.background?.pending) invocation.background.giveUp();
    });
  }

  #each(act: (invocation: Invocation) => void): void {
    if (this.#current) act(this.#current);
    forEach(this.#running, act);
  }

  #refuse(invocation: Invocation): void {
    const errorMessage = `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`;
    this.#sendError(invocation, { errorType: 'Function.ResponseSizeTooLarge', errorMessage });
  }

  #sendError(invocation: Invocation, error: FunctionError, last = false): void {
    this.#send(invocation, invocation.response?.begun ? KIND.streamEnd : KIND.error, stringify(error), last);
  }

  #send(invocation: Invocation, kind: number, answer: string | Uint8Array, last = false): void {
    if (invocation.over) return;
    flushLines();
    invocation.over = true;
    invocation.response?.seal();
    if (this.birth) this.#tellBirth(this.birth);
    const goesOn = !last && invocation.background?.pending === true;
    if (goesOn) this.#channel.sendText(KIND.goesOn, invocation.stream, 0, 0, '');
    if (typeof answer === 'string') this.#channel.sendText(kind, invocation.stream, 4, this.#memoryKiB(), answer);
    else this.#channel.sendNumbered(kind, invocation.stream, this.#memoryKiB(), answer);
    if (!goesOn) this.#end(invocation, last);
  }

  /** What an invocation had to do beside its answer is done. */
  #settled(invocation: Invocation): void {
    if (!invocation.over) return;
    flushLines();
    this.#channel.sendText(KIND.over, invocation.stream, 4, this.#memoryKiB(), '');
    this.#end(invocation, false);
  }

  #end(invocation: Invocation, last: boolean): void {
    invocation.background?.close();
    if (invocation.scope) {
      remove(this.#running, invocation);
      invocation.scope.stream = 0;
      return;
    }
    this.#current = undefined;
    setLogScope(0, undefined);
    if (this.#beginning) return;
    if (!last) this.#turn();
  }

  /** By itself, right before the first answer: the host reads both at once. */
  #tellBirth({ begunMs, forkedMs, readyMs, eventMs }: Birth): void {
    this.birth = undefined;
    // Text of numbers asks nothing that user code could have changed.
    this.#channel.sendText(KIND.steps, 0, 0, 0, `[${begunMs},${forkedMs},${readyMs},${eventMs},${machineMs()}]`);
  }

  /** The most it has used so far, KiB. Asking costs as much as a short invocation: it is done for each of the first, then now and then. */
  #memoryKiB(): number {
    const count = ++this.#answers;
    if (count === ALWAYS_MEASURED) tierUp();
    if (count > ALWAYS_MEASURED && (count % MEASURED_EVERY !== 0 || now() - this.#measuredMs < MEASURED_AGAIN_MS)) return this.#maxRss;
    this.#measuredMs = now();
    return (this.#maxRss = resourceUsage().maxRSS);
  }
}
