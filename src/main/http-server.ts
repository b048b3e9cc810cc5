/** The one server behind the one port: function URLs, and whatever else is asked for. */
import type { IncomingMessage, ServerResponse as Response } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Front } from '../gateway/mod.ts';
import type { Gateway } from '../gateway/mod.ts';
import { HearthError } from '../kernel/mod.ts';
import type { Clock, LIMITS, Log } from '../kernel/mod.ts';
import { Ahead } from './requests-ahead.ts';
import { ambiguity, refuse } from './refusals.ts';
import { Unread } from './unread.ts';

// `import` would read every export once, and one of them loads an HTTP client that nobody here needs.
const { createServer, ServerResponse, STATUS_CODES } = process.getBuiltinModule('node:http');

export interface HttpServer {
  readonly port: number;
  /** `http://HOST:PORT`, without a slash. */
  readonly url: string;
  /** Takes no further connection, and ends those on which nothing is going on. Requests that run go on. */
  stop(): void;
  /** Ends what is left: idle connections at once, others after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export type HttpServerOptions = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly limits: { readonly [Name in keyof typeof LIMITS.http]: number };
  /** Returns false for what it leaves to `control`. */
  readonly gateway: Gateway;
  readonly control: (request: IncomingMessage, response: Response) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/** Throws HearthError `AddressInUse`, `BadUsage`. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { limits, gateway, control, clock, log } = options;
  const server = createServer({
    // Looked after by `ambiguity`, so that nothing is served after it.
    requireHostHeader: false,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // How late a slow client is found out: at most by this much.
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
  });
  server.maxConnections = limits.connections;
  const unread = new Unread({ clock, limits, log });
  const ahead = new Ahead(unread, clock);
  const serve = (request: IncomingMessage, response: Response) => {
    const problem = ambiguity(request);
    if (problem !== undefined) {
      ahead.end(request.socket);
      refuse(response, problem);
    } else if (!gateway.serve(request, response)) control(request, response);
  };
  const onRequest = (request: IncomingMessage, response: Response) => {
    // It has none as long as answers before it are under way.
    if (response.socket === null) ahead.take(request, response, serve);
    else serve(request, response);
  };
  server.on('request', onRequest);
  server.on('checkContinue', (request: IncomingMessage, response: Response) => {
    // Whoever reads the body says 100 Continue, so that a refusal comes before the body. After a refusal nobody knows what comes next on the
    // connection, the body all the same or another request: it ends.
    const { shouldKeepAlive } = response;
    response.shouldKeepAlive = false;
    response.writeContinue = (written) => {
      response.shouldKeepAlive = shouldKeepAlive;
      ServerResponse.prototype.writeContinue.call(response, written);
    };
    onRequest(request, response);
  });
  const front = new Front({ serve: (...call) => gateway.servePlain(...call), clock, limits, statusTexts: STATUS_CODES });
  // Connections come to node:http by an event, and whoever emits it decides which.
  const [toHttp] = server.listeners('connection') as [(socket: Socket) => void];
  const handOver = toHttp.bind(server);
  server.removeAllListeners('connection');
  server.on('connection', (socket) => {
    unread.watch(socket);
    front.accept(socket, handOver);
  });
  server.on('drop', () => log.warn({ connections: limits.connections }, 'a connection was dropped: there are too many'));

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, options)));
    server.listen({ host: options.host.replace(/^\[(.*)\]$/, '$1'), port: options.port, backlog: 1024 }, resolve);
  });
  server.on('error', (error) => log.error({ error }, 'the HTTP server failed'));

  const { port } = server.address() as AddressInfo;
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    server.close();
    front.stop();
  };
  return {
    port,
    url: `http://${urlHost(options.host)}:${port}`,
    stop,
    async close(graceMs) {
      stop();
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        server.closeAllConnections();
        front.destroyAll();
      }, graceMs);
      await closed;
      clearTimeout(timer);
      unread.stop();
    },
  };
}

function listenError(error: NodeJS.ErrnoException, { host, port }: HttpServerOptions): HearthError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new HearthError(
        'AddressInUse',
        `Port ${port} at ${host} is taken. Stop what listens there (perhaps another Hearth), or choose another port with --port; 0 takes any free one.`,
        { cause: error },
      );
    case 'EACCES':
      return new HearthError('BadUsage', `This user may not listen at port ${port}. Choose one above 1023 with --port.`, { cause: error });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new HearthError('BadUsage', `${host} is no address of this machine. Give one with --host.`, { cause: error });
    default:
      return new HearthError('Internal', `Listening at ${host}:${port} failed: ${error.message}`, { cause: error });
  }
}

/** Under which name this machine itself finds a server that listens at `host`. */
function urlHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  const name = host.replace(/^\[(.*)\]$/, '$1');
  if (name === '::') return '[::1]';
  return name.includes(':') ? `[${name}]` : name;
}
