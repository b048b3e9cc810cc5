/**
 * Function URLs: HTTP in, invocation out. Without promises and without the store: for a warm function this is most of what the host does
 * for a request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Engine } from '../engine/mod.ts';
import { asHearthError, silentLog } from '../kernel/mod.ts';
import type { Clock, Log, Random } from '../kernel/mod.ts';
import { urlEventEncoder, urlEventShape } from '../protocol/mod.ts';
import type { IamCaller, PlainRequest, UrlEventShape, UrlRequest } from '../protocol/mod.ts';
import { failureFor, sendFailure } from './answer.ts';
import { discard, readBody } from './body.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { BufferedExchange, StreamedExchange } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
import { HttpReply, plainAddress } from './reply.ts';
import type { Reply } from './reply.ts';
import { urlAddress } from './route.ts';
import type { UrlAddress, UrlRoute, UrlRoutes } from './route.ts';

export type GatewayOptions = {
  readonly engine: Pick<Engine, 'invoke'>;
  readonly routes: UrlRoutes;
  readonly clock: Clock;
  readonly random: Random;
  readonly region: string;
  readonly accountId: string;
  readonly limits: { readonly payloadBytes: number };
  readonly admit?: Admit;
  readonly log?: Log;
};

/**
 * Asks whether a request at a URL with AuthType AWS_IAM may pass: throws a HearthError if not; undefined: whoever it is. The result is asked
 * again when the body is there.
 */
export type Admit = (request: IncomingMessage) => { readonly accessKeyId: string; confirm(body: Uint8Array): void } | undefined;

export interface Gateway {
  /** Takes the requests that are for function URLs and returns true; leaves others alone and returns false. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  /** The same for a plain request whose body is there. Leaves more of them alone: all that `serve` has something to look up for. */
  servePlain(request: PlainRequest, body: Buffer | undefined, client: PlainClient): boolean;
}

/** Who sent a plain request, and gets its answer. */
export interface PlainClient extends Reply {
  readonly sourceIp: string;
  /** The port it came in at. */
  readonly port: number;
}

export function createGateway(options: GatewayOptions): Gateway {
  return new UrlGateway(options);
}

class UrlGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #log: Log;
  readonly #encoder = urlEventEncoder();
  /** Of anonymous callers, by URL id. Bounded by being dropped when it has grown. */
  readonly #shapes = new Map<string, UrlEventShape>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
  }

  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const address = urlAddress(request.headers.host ?? '', request.url ?? '/');
    if (!address) return false;
    const reply = new HttpReply(response);
    try {
      const route = this.#options.routes.byUrlId(address.urlId);
      if (route) this.#serveRoute(route, address, { request, response, reply });
      else sendFailure(reply, NO_FUNCTION);
    } catch (thrown) {
      discard(request);
      this.#fail(reply, thrown);
    }
    return true;
  }

  servePlain(request: PlainRequest, body: Buffer | undefined, client: PlainClient): boolean {
    const { head } = request;
    const address = urlAddress(head.host, request.target);
    if (!address || head.bodyBytes > this.#options.limits.payloadBytes) return false;
    let route: UrlRoute | undefined;
    try {
      route = this.#options.routes.byUrlId(address.urlId);
    } catch {
      // Whoever serves it next finds out the same, and says so.
      return false;
    }
    if (!route || route.invokeMode !== 'BUFFERED' || route.authType !== 'NONE' || (route.cors && head.origin)) return false;
    this.#invoke(route, address, {
      method: request.method,
      head,
      rawHeaders: head.rawHeaders,
      httpVersion: '1.1',
      sourceIp: client.sourceIp,
      port: client.port,
      trace: head.trace,
      cors: NO_HEADERS,
      body,
      caller: undefined,
      reply: client,
      response: undefined,
    });
    return true;
  }

  #serveRoute(route: UrlRoute, address: UrlAddress, over: OverHttp): void {
    const { request, response, reply } = over;
    const origin = route.cors && request.headers.origin;
    if (route.cors && origin !== undefined && isPreflight(request)) return reply.send(200, preflightHeaders(route.cors, origin), '');
    const cors = route.cors && origin !== undefined ? corsHeaders(route.cors, origin) : NO_HEADERS;
    const admitted = route.authType === 'AWS_IAM' ? this.#options.admit?.(request) : undefined;
    // The time that a client takes for its body is not the function's.
    readBody(request, response, this.#options.limits.payloadBytes, {
      done: (body) => {
        try {
          admitted?.confirm(body ?? NO_BYTES);
          // What the route means may have changed while the body came, and what it meant before may be gone.
          const current = body === undefined ? route : this.#options.routes.byUrlId(address.urlId);
          if (current?.authType !== route.authType) return sendFailure(reply, NO_FUNCTION, cors);
          this.#invoke(current, address, callOver(over, cors, body, admitted?.accessKeyId));
        } catch (thrown) {
          this.#fail(reply, thrown);
        }
      },
      tooLarge: () => {
        const message = `Request must be smaller than ${this.#options.limits.payloadBytes} bytes.`;
        sendFailure(reply, failureFor('RequestTooLargeException', message), cors);
      },
    });
  }

  #invoke(route: UrlRoute, { urlId, path, query }: UrlAddress, call: Call): void {
    const { clock, random, engine } = this.#options;
    const requestId = random.uuid();
    const timeMs = clock.now();
    const trace = call.trace ?? traceId(timeMs, requestId);
    const event = this.#encoder.encode(this.#shape(urlId, call.caller), {
      head: call.head,
      method: call.method,
      path,
      query,
      rawHeaders: call.rawHeaders,
      httpVersion: call.httpVersion,
      sourceIp: call.sourceIp,
      port: call.port,
      requestId,
      timeMs,
      trace,
      body: call.body,
    });
    const context: ExchangeContext = { reply: call.reply, requestId, trace, cors: call.cors, log: this.#log };
    const exchange =
      call.response && route.invokeMode === 'RESPONSE_STREAM'
        ? new StreamedExchange(context, call.response)
        : new BufferedExchange(context);
    exchange.begun(engine.invoke({ deployment: route.deployment, event, requestId, trace, trigger: 'http' }, exchange));
  }

  #shape(urlId: string, accessKey: string | undefined): UrlEventShape {
    const known = accessKey === undefined ? this.#shapes.get(urlId) : undefined;
    if (known) return known;
    const { region, accountId } = this.#options;
    const caller: IamCaller | undefined = accessKey === undefined ? undefined : { accessKey, accountId };
    const shape = urlEventShape({ urlId, domainName: `${urlId}.lambda-url.${region}.localhost`, ...(caller && { caller }) });
    if (caller) return shape;
    if (this.#shapes.size >= MAX_SHAPES) this.#shapes.clear();
    this.#shapes.set(urlId, shape);
    return shape;
  }

  #fail(reply: Reply, thrown: unknown): void {
    const error = asHearthError(thrown);
    if (error.code === 'Internal') this.#log.error({ error: thrown }, 'a request at a function URL failed');
    // Lambda says no more to those who may not come in.
    const message = error.status === 403 || error.code === 'IncompleteSignatureException' ? `Forbidden. ${error.message}` : error.message;
    sendFailure(reply, failureFor(error.code, error.code === 'Internal' ? 'Internal Server Error' : message));
  }
}

type OverHttp = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly reply: Reply };

/** A request that may come in. */
type Call = Pick<UrlRequest, 'head' | 'method' | 'rawHeaders' | 'httpVersion' | 'sourceIp' | 'port'> & {
  readonly trace: string | undefined;
  readonly cors: readonly string[];
  readonly body: Buffer | undefined;
  readonly caller: string | undefined;
  readonly reply: Reply;
  /** For what is streamed. */
  readonly response: ServerResponse | undefined;
};

function callOver({ request, response, reply }: OverHttp, cors: readonly string[], body: Buffer | undefined, caller?: string): Call {
  const trace = request.headers['x-amzn-trace-id'];
  return {
    head: undefined,
    method: request.method ?? 'GET',
    rawHeaders: request.rawHeaders,
    httpVersion: request.httpVersion,
    sourceIp: plainAddress(request.socket.remoteAddress),
    port: request.socket.localPort ?? 0,
    trace: typeof trace === 'string' ? trace : undefined,
    cors,
    body,
    caller,
    reply,
    response,
  };
}

const NO_BYTES = new Uint8Array();
const NO_HEADERS: readonly string[] = [];
const NO_FUNCTION = { status: 404, code: 'ResourceNotFoundException', message: 'No function has this URL.' } as const;
const MAX_SHAPES = 10_000;

function isPreflight(request: IncomingMessage): boolean {
  return request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
}

/** As X-Ray writes it: the second, and 96 bits, which the request id has at hand. */
function traceId(timeMs: number, requestId: string): string {
  const second = Math.floor(timeMs / 1000).toString(16);
  return `Root=1-${second}-${requestId.slice(0, 8)}${requestId.slice(9, 13)}${requestId.slice(24)}`;
}
