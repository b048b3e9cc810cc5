/**
 * A program that is a web server: takes each event to it as an HTTP request, over a connection of its own. A connection that was kept might be
 * one that the server has given up while it stood still.
 */
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../kernel/mod.ts';
import { HTTP_INTEGRATION, inRanges } from '../../protocol/mod.ts';
import type { FunctionError, Web } from '../../protocol/mod.ts';
import { bodyOf } from './reply.ts';
import type { EventTaker } from './program-instance.ts';
import { RESPONSE_BYTES, responseTooLarge, truncated } from './runtime-api.ts';
import type { AnswerListener, ApiInvocation, RuntimeListener } from './runtime-api.ts';
import { WebEventError, readWebEvent } from './web-event.ts';
import type { WebRequest } from './web-event.ts';
import { payloadOf, preludeOf } from './web-answer.ts';

export type WebServerOptions = {
  readonly web: Web;
  readonly clock: Clock;
  /** To a port inside; rejects when nobody listens there. */
  readonly connect: (port: number) => Promise<Socket>;
  readonly listener: RuntimeListener;
};

/** Between two looks whether the server answers. */
const LOOK_EVERY_MS = 10;
/** Lambda ends init after 10 s. */
const ASYNC_INIT_MS = 9_800;
/** A server that has ended closes its connections a moment before that is known: then that is what has happened. */
const END_AWAITED_MS = 50;
/** Where nobody listens any more it has ended, and on a busy machine it may take so long until that is known. */
const GONE_AWAITED_MS = 5_000;
const HEADER_BYTES = 64 * 1024;

/** For who waits for it in vain. */
export const nothingAnswers = ({ readiness: { port, path, protocol } }: Web): string =>
  protocol === 'tcp' ? `nothing listens at port ${port}` : `nothing answers at port ${port} to GET ${path}`;

export class WebServer implements EventTaker {
  readonly #options: WebServerOptions;
  #web: Web;
  readonly #answers = Promise.withResolvers<void>();
  readonly #timers = new Set<Timer>();
  readonly #requests = new Set<ClientRequest>();
  #invocation: ApiInvocation | undefined;
  #ready = false;
  #closed = false;

  constructor(options: WebServerOptions) {
    this.#options = options;
    this.#web = options.web;
  }

  /** The program has been started: it is asked until it answers. `web`: where it is in the end. */
  begin(web = this.#web): void {
    this.#web = web;
    if (web.asyncInit) this.#after(ASYNC_INIT_MS, () => this.#initialised());
    this.#look();
  }

  invoke(invocation: ApiInvocation): void {
    this.#invocation = invocation;
    if (!this.#ready) return;
    this.#options.listener.waits(false);
    void this.#take(invocation);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    for (const each of this.#requests) each.destroy();
  }

  #look(): void {
    const again = () => void (this.#closed || this.#after(LOOK_EVERY_MS, () => this.#look()));
    this.#isReady().then((ready) => {
      if (!ready) return again();
      this.#answers.resolve();
      this.#initialised();
    }, again);
  }

  async #isReady(): Promise<boolean> {
    const { port, path, protocol, statuses } = this.#web.readiness;
    if (protocol === 'tcp') return await this.#listens(port);
    const headers = { host: `127.0.0.1:${port}`, connection: 'close' };
    const response = await this.#send(port, { method: 'GET', path, headers, body: Buffer.alloc(0) });
    // What it says is of no interest; where it goes on for ever it is cut off.
    response.destroy();
    return inRanges(statuses, response.statusCode!);
  }

  #initialised(): void {
    if (this.#ready || this.#closed) return;
    this.#ready = true;
    const { listener } = this.#options;
    listener.ready();
    if (this.#invocation) this.invoke(this.#invocation);
    else listener.waits(true);
  }

  async #take(invocation: ApiInvocation): Promise<void> {
    const { listener } = invocation;
    // Only with `asyncInit` is that still to come.
    await this.#answers.promise;
    try {
      await this.#exchange(invocation);
    } catch (error) {
      if (!(error instanceof WebEventError)) await this.#pause((await this.#listens(this.#web.port)) ? END_AWAITED_MS : GONE_AWAITED_MS);
      this.#over();
      listener.failed(this.#errorOf(error));
    }
    // Who was answered may have come with the next one by now.
    if (this.#invocation === undefined) this.#options.listener.waits(true);
  }

  async #listens(port: number): Promise<boolean> {
    try {
      (await this.#connect(port)).destroy();
      return true;
    } catch {
      return false;
    }
  }

  #over(): void {
    this.#invocation = undefined;
  }

  #errorOf(error: unknown): FunctionError {
    if (error instanceof WebEventError) return { errorType: 'Runtime.InvalidEvent', errorMessage: error.message };
    const errorMessage = `The server at port ${this.#web.port} did not answer: ${error instanceof Error ? error.message : String(error)}`;
    return { errorType: 'Runtime.WebServerFailed', errorMessage };
  }

  async #exchange({ head, event, listener }: ApiInvocation): Promise<void> {
    const web = this.#web;
    const asked = readWebEvent(event, head, web);
    const response = await this.#send(web.port, asked.request);
    const status = response.statusCode!;
    if (inRanges(web.errorStatuses, status)) {
      response.destroy();
      this.#over();
      const errorMessage = `The server answered with status ${status}, which AWS_LWA_ERROR_STATUS_CODES names.`;
      return listener.failed({ errorType: 'Runtime.WebServerError', errorMessage });
    }
    if (web.streams) return await this.#stream(response, listener);
    const body = await bodyOf(response, RESPONSE_BYTES);
    if (!Buffer.isBuffer(body)) response.destroy();
    this.#over();
    if (body === 'too large') return listener.failed(responseTooLarge());
    if (body === 'broken off') return listener.failed(truncated());
    const payload = payloadOf(asked.form, response, body);
    if (payload.length > RESPONSE_BYTES) return listener.failed(responseTooLarge());
    listener.answered(payload);
  }

  async #stream(response: IncomingMessage, listener: AnswerListener): Promise<void> {
    listener.flow({ pause: () => void response.pause(), resume: () => void response.resume() });
    listener.streamHead({ contentType: HTTP_INTEGRATION, prelude: preludeOf(response) });
    const { promise, resolve } = Promise.withResolvers<FunctionError | undefined>();
    response.on('data', (chunk: Buffer) => listener.streamChunk(chunk));
    response.once('end', () => resolve(undefined));
    response.once('error', () => resolve(truncated()));
    response.once('close', () => resolve(truncated()));
    const error = await promise;
    this.#over();
    listener.streamEnd(error);
  }

  /** The head of the answer. */
  async #send(port: number, { method, path, headers, body }: WebRequest): Promise<IncomingMessage> {
    const socket = await this.#connect(port);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    let sending: ClientRequest;
    try {
      const length = body.length > 0 || method === 'POST' || method === 'PUT' ? { 'content-length': String(body.length) } : {};
      const all = { ...headers, ...length };
      sending = request({ method, path, headers: all, setHost: false, createConnection: () => socket, maxHeaderSize: HEADER_BYTES });
    } catch (error) {
      // It can't be sent: a header with a character that none may have, for instance.
      socket.destroy();
      throw new WebEventError(`The event is no request that can be sent: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#requests.add(sending);
    sending.on('close', () => this.#requests.delete(sending));
    sending.on('error', reject);
    sending.on('response', resolve);
    sending.end(body);
    return await promise;
  }

  async #connect(port: number): Promise<Socket> {
    const socket = await this.#options.connect(port);
    if (!this.#closed) return socket;
    socket.destroy();
    throw new Error('the instance has ended');
  }

  /** For ever, once this is closed. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void (this.#closed || this.#after(ms, resolve)));
  }

  #after(ms: number, run: () => void): void {
    const timer = this.#options.clock.after(ms, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }
}
