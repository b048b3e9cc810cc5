/**
 * Function URLs: HTTP in, invocation out. On node:http itself, without promises and without the store: for a warm function this is most
 * of what the host does for a request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Engine } from '../engine/mod.ts';
import { asHearthError, silentLog } from '../kernel/mod.ts';
import type { Clock, Log, Random } from '../kernel/mod.ts';
import { urlEventEncoder, urlEventShape } from '../protocol/mod.ts';
import type { IamCaller, UrlEventShape } from '../protocol/mod.ts';
import { failureFor, sendFailure, sendWhole } from './answer.ts';
import { readBody } from './body.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { BufferedExchange, StreamedExchange } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
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

/** Takes the requests that are for function URLs and returns true; leaves others alone and returns false. */
export type Gateway = (request: IncomingMessage, response: ServerResponse) => boolean;

export function createGateway(options: GatewayOptions): Gateway {
  const gateway = new UrlGateway(options);
  return (request, response) => {
    const address = urlAddress(request.headers.host ?? '', request.url ?? '/');
    if (!address) return false;
    gateway.serve(address, request, response);
    return true;
  };
}

class UrlGateway {
  readonly #options: GatewayOptions;
  readonly #log: Log;
  readonly #encoder = urlEventEncoder();
  /** Of anonymous callers, by URL id. Bounded by being dropped when it has grown. */
  readonly #shapes = new Map<string, UrlEventShape>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
  }

  serve(address: UrlAddress, request: IncomingMessage, response: ServerResponse): void {
    try {
      const route = this.#options.routes.byUrlId(address.urlId);
      if (route) this.#serveRoute(route, address, request, response);
      else sendFailure(response, NO_FUNCTION);
    } catch (thrown) {
      this.#fail(response, thrown);
    }
  }

  #serveRoute(route: UrlRoute, address: UrlAddress, request: IncomingMessage, response: ServerResponse): void {
    const origin = route.cors && request.headers.origin;
    if (route.cors && origin !== undefined && isPreflight(request))
      return sendWhole(response, 200, preflightHeaders(route.cors, origin), '');
    const cors = route.cors && origin !== undefined ? corsHeaders(route.cors, origin) : [];
    const admitted = route.authType === 'AWS_IAM' ? this.#options.admit?.(request) : undefined;
    // The time that a client takes for its body is not the function's.
    readBody(request, response, this.#options.limits.payloadBytes, {
      done: (body) => {
        try {
          admitted?.confirm(body ?? NO_BYTES);
          // What the route means may have changed while the body came, and what it meant before may be gone.
          const current = body === undefined ? route : this.#options.routes.byUrlId(address.urlId);
          if (current?.authType !== route.authType) return sendFailure(response, NO_FUNCTION, cors);
          this.#invoke(current, address, { request, response, cors, body, caller: admitted?.accessKeyId });
        } catch (thrown) {
          this.#fail(response, thrown);
        }
      },
      tooLarge: () => {
        const message = `Request must be smaller than ${this.#options.limits.payloadBytes} bytes.`;
        sendFailure(response, failureFor('RequestTooLargeException', message), cors);
      },
    });
  }

  #invoke(route: UrlRoute, { urlId, path, query }: UrlAddress, call: Call): void {
    const { request, response, body } = call;
    const { clock, random, engine } = this.#options;
    const requestId = random.uuid();
    const timeMs = clock.now();
    const given = request.headers['x-amzn-trace-id'];
    const trace = typeof given === 'string' ? given : traceId(timeMs, requestId);
    const { socket } = request;
    const event = this.#encoder.encode(this.#shape(urlId, call.caller), {
      method: request.method ?? 'GET',
      path,
      query,
      rawHeaders: request.rawHeaders,
      httpVersion: request.httpVersion,
      sourceIp: plainAddress(socket.remoteAddress),
      port: socket.localPort ?? 0,
      requestId,
      timeMs,
      trace,
      body,
    });
    const context: ExchangeContext = { response, requestId, trace, cors: call.cors, log: this.#log };
    const exchange = route.invokeMode === 'RESPONSE_STREAM' ? new StreamedExchange(context) : new BufferedExchange(context);
    exchange.begun(engine.invoke({ deployment: route.deployment, event, requestId, trace }, exchange));
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

  #fail(response: ServerResponse, thrown: unknown): void {
    const error = asHearthError(thrown);
    if (error.code === 'Internal') this.#log.error({ error: thrown }, 'a request at a function URL failed');
    // Lambda says no more to those who may not come in.
    const message = error.status === 403 || error.code === 'IncompleteSignatureException' ? `Forbidden. ${error.message}` : error.message;
    sendFailure(response, failureFor(error.code, error.code === 'Internal' ? 'Internal Server Error' : message));
  }
}

type Call = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly cors: readonly string[];
  readonly body: Buffer | undefined;
  readonly caller: string | undefined;
};

const NO_BYTES = new Uint8Array();
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

/** IPv4 addresses at an IPv6 socket come as `::ffff:127.0.0.1`. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
