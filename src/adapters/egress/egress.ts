/**
 * The way out of sandboxes: an HTTP proxy on connections that were made inside to the one port there. CONNECT makes a tunnel, a request with
 * an absolute address is forwarded, and a request with a path is for the platform itself. A name is resolved here, once; every address that
 * it has is looked at, and the connection is made to one that was.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Log } from '../../kernel/mod.ts';
import { addressRefusal, addressText, parseAddress, permitOf } from '../../policy/mod.ts';
import type { Address, Target } from '../../policy/mod.ts';
import { INSIDE_PORT } from '../../protocol/mod.ts';
import type { Egress, Endpoint } from '../../protocol/mod.ts';
import { Refused } from './errors.ts';
import { forward } from './forward.ts';
import { joined } from './join.ts';

/** Who made a connection: told by the sandbox that it comes from, so nothing that is sent over it can change it. */
export type Caller = { readonly functionName: string; readonly network: Egress };

export type EgressOptions = {
  /** Throws when the name has no address. `named`: it is written in a grant. */
  readonly resolve: (host: string, named: boolean) => Promise<readonly string[]>;
  /** A request to the platform itself. */
  readonly platform: (request: IncomingMessage, response: ServerResponse) => void;
  /** The platform's own port, as others reach it. */
  readonly platformPort: () => number;
  readonly limits: {
    readonly headerBytes: number;
    readonly headersTimeoutMs: number;
    readonly keepAliveTimeoutMs: number;
    readonly connectTimeoutMs: number;
    readonly idleTimeoutMs: number;
  };
  /** Told with each refusal, for the function's log: what clients say of it is seldom enough. */
  readonly refused: (functionName: string, reason: string) => void;
  readonly log: Log;
  /** For tests. */
  readonly connect?: typeof connectSocket;
  readonly ownAddresses?: () => readonly string[];
};

export interface EgressProxy {
  /** A connection to the port inside. */
  accept(connection: Socket, caller: Caller): void;
  /** A connection to a granted endpoint. */
  acceptEndpoint(connection: Socket, caller: Caller, endpoint: Endpoint): void;
  /** Undefined: the request came from elsewhere. */
  callerOf(request: { readonly socket: object }): Caller | undefined;
  close(): void;
}

const { createServer } = process.getBuiltinModule('node:http');

export function createEgress(options: EgressOptions): EgressProxy {
  const { limits, log, platform } = options;
  const connect = options.connect ?? connectSocket;
  const ownAddresses = options.ownAddresses ?? interfaceAddresses;
  const callers = new WeakMap<object, Caller>();
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    requestTimeout: 0,
    // How late a slow peer is found out: at most by this much.
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
  });

  /** Throws Refused, once the function's log has it too. */
  const open = async (caller: Caller, asked: Target): Promise<Socket> => {
    try {
      return await openAllowed(caller.network, asked);
    } catch (error) {
      if (error instanceof Refused) options.refused(caller.functionName, error.message);
      throw error;
    }
  };

  const openAllowed = async (network: Egress, asked: Target): Promise<Socket> => {
    const permit = permitOf(network, asked);
    if (permit.kind === 'refused') throw new Refused(403, permit.reason);
    const { target } = permit;
    const texts = permit.address ? [target.host] : await addressesOf(target.host, permit.kind !== 'public');
    const addresses = texts.flatMap((text) => parseAddress(text) ?? []);
    if (addresses.length === 0) throw new Refused(502, `${target.host} has no address`);
    const own = ownAddresses().map((text) => parseAddress(text)!);
    for (const address of addresses) {
      const reason = addressRefusal(permit, address, own);
      if (reason !== undefined) throw new Refused(403, reason);
    }
    return await dial(target, addresses);
  };

  const addressesOf = async (host: string, named: boolean): Promise<readonly string[]> => {
    try {
      return await options.resolve(host, named);
    } catch (error) {
      throw new Refused(502, `${host} has no address (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
    }
  };

  const dial = ({ host, port }: Target, addresses: readonly Address[]): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const found = addresses.map((address) => ({ address: addressText(address), family: address.family }));
      // What was looked at is what is connected to: nothing is resolved again.
      const lookup = ((_host: string, _options: object, done: (error: null, all: typeof found) => void) => done(null, found)) as never;
      const socket = connect({ host, port, lookup, allowHalfOpen: true, noDelay: true, autoSelectFamily: true });
      socket.setTimeout(limits.connectTimeoutMs, () =>
        socket.destroy(new Refused(504, `${host}:${port} did not take the connection in time`)),
      );
      socket.once('error', (error: NodeJS.ErrnoException) =>
        reject(error instanceof Refused ? error : new Refused(502, `${host}:${port} took no connection (${error.code ?? error.message})`)),
      );
      socket.once('connect', () => {
        socket.removeAllListeners('timeout');
        socket.setTimeout(limits.idleTimeoutMs, () => socket.destroy());
        resolve(socket);
      });
    });

  const isPlatform = ({ host, port }: Target) =>
    (port === INSIDE_PORT || port === options.platformPort()) && (LOOPBACK_NAMES.has(host) || host.endsWith('.localhost'));

  const tunnel = async (request: IncomingMessage, client: Socket, head: Buffer): Promise<void> => {
    const target = targetOf(`http://${request.url ?? ''}`);
    if (!target || !/:\d+$/.test(request.url!)) throw new Refused(400, 'CONNECT takes HOST:PORT');
    if (isPlatform(target)) {
      client.write(ESTABLISHED);
      if (head.length > 0) client.unshift(head);
      return void server.emit('connection', client);
    }
    const upstream = await open(callers.get(client)!, target);
    if (client.destroyed) return void upstream.destroy();
    client.write(ESTABLISHED);
    if (head.length > 0) upstream.write(head);
    joined(client, upstream);
  };

  server.on('connect', (request, duplex, head) => {
    const client = duplex as Socket;
    // The HTTP server has let go of this connection, and of its errors.
    client.on('error', () => client.destroy());
    tunnel(request, client, head).catch((error: unknown) => refuseTunnel(client, asRefused(error, log)));
  });

  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url ?? '/';
    const target = url.startsWith('/') || url === '*' ? undefined : targetOf(url);
    if (url.startsWith('/') || (target && isPlatform(target))) {
      if (target) {
        request.url = url.replace(/^[a-z]+:\/\/[^/?#]*/i, '').replace(/^(?!\/)/, '/');
        request.headers.host = new URL(url).host;
      }
      return platform(request, response);
    }
    const refuse = (error: unknown) => refuseRequest(request, response, asRefused(error, log));
    if (!target || !/^http:/i.test(url)) return refuse(new Refused(400, 'The proxy takes http:// addresses, and CONNECT for all others'));
    open(callers.get(request.socket)!, target)
      .then((upstream) => forward(request, response, upstream, refuse))
      .catch(refuse);
  };
  server.on('request', serve);
  server.on('checkContinue', serve);
  server.on('clientError', (_error, socket) => socket.destroy());
  // What node does when it listens: from then on slow requests are found and ended.
  server.emit('listening');

  return {
    accept(connection, caller) {
      callers.set(connection, caller);
      server.emit('connection', connection);
    },
    acceptEndpoint(connection, caller, endpoint) {
      connection.on('error', () => connection.destroy());
      connection.pause();
      open(caller, endpoint).then(
        (upstream) => (connection.destroyed ? void upstream.destroy() : joined(connection, upstream)),
        (error: unknown) => {
          asRefused(error, log);
          connection.resetAndDestroy();
        },
      );
    },
    callerOf: ({ socket }) => callers.get(socket),
    close: () => void server.close(),
  };
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '::1']);

/** By the rules of URLs: every notation of an IPv4 address comes out as the usual one. */
function targetOf(text: string): Target | undefined {
  if (!URL.canParse(text)) return undefined;
  const { hostname, port, protocol } = new URL(text);
  if (hostname === '') return undefined;
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}

function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

function asRefused(error: unknown, log: Log): Refused {
  if (error instanceof Refused) return error;
  log.error({ error }, 'the egress proxy failed');
  return new Refused(502, 'the proxy failed; the log of the platform says more');
}

/** Clients show the status line of a refused tunnel, and nothing of its body. */
function refuseTunnel(client: Socket, { status, message }: Refused): void {
  const body = `${message}\n`;
  const head = `HTTP/1.1 ${status} ${printable(message)}\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  client.end(head + body);
}

function refuseRequest(request: IncomingMessage, response: ServerResponse, { status, message }: Refused): void {
  if (response.headersSent) return void response.destroy();
  const unread = request.complete ? {} : { connection: 'close' };
  response.writeHead(status, { 'content-type': 'text/plain', ...unread }).end(`${message}\n`);
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
