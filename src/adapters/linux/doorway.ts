import { Server } from 'node:net';
import type { Socket } from 'node:net';
import { insideAddress } from '../../protocol/mod.ts';
import type { Endpoint, Network } from '../../protocol/mod.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import type { Listener } from '../../../runtimes/ladder/orders.ts';
import { receiveMessage, socketPair } from '../../../runtimes/ladder/messages.ts';

/** Someone inside has connected to the platform's port, or to an endpoint's. */
export type Connected = (connection: Socket, endpoint: Endpoint | undefined) => void;

/** What becomes of a connection to one port. */
export type Accept = (connection: Socket) => void;

/** Connections of one sandbox at a time, to each of its ports. More are ended at once. */
const CONNECTIONS = 1_000;

/** `platform`: at its port, which the sandbox began with; undefined: it is closed. `others`: at those of the listeners, in their order. */
export type Ports = { readonly platform: Accept | undefined; readonly others: readonly Accept[] };

/**
 * What leads out of a sandbox's network: sockets that listen inside and whose connections come out here. The one of the platform's port is
 * made with the sandbox, so that a function need not wait for it; those of endpoints and of the Runtime API are made when the function is known.
 */
export class Doorway {
  /** The end to give away. */
  readonly far: number;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Socket>();
  #near: number;
  #listening: number | undefined;
  #ports: Ports | undefined;
  /** More sockets come when they are asked for. */
  #reached = false;
  #closed = false;

  constructor() {
    [this.#near, this.far] = socketPair();
  }

  /** The sandbox is there: what it has sent can be read without waiting. */
  born(): void {
    if (this.#closed) return;
    this.#listening = receiveMessage(this.#near)?.fds[0];
    if (this.#ports) this.#open(this.#ports);
  }

  /** The function is known. `reached`: the host will connect to what listens inside. */
  open(ports: Ports, reached: boolean): void {
    this.#ports = ports;
    this.#reached = reached;
    if (this.#listening !== undefined) this.#open(ports);
  }

  /** The sockets of the other ports have been sent. */
  listening(): void {
    if (this.#closed) return;
    for (const [i, fd] of (receiveMessage(this.#near)?.fds ?? []).entries()) this.#adopt(fd, this.#ports?.others[i]);
    if (!this.#reached) this.#leaveNear();
  }

  /** The next socket that was asked for, which has been sent. Undefined: it is closed. */
  take(): number | undefined {
    return this.#closed ? undefined : receiveMessage(this.#near)?.fds[0];
  }

  close(): void {
    this.#closed = true;
    this.#leaveNear();
    if (this.#listening !== undefined) libc.close(this.#listening);
    this.#listening = undefined;
    for (const server of this.#servers) server.close();
    for (const connection of this.#connections) connection.destroy();
  }

  /** Where the other end was never given away. */
  abandon(): void {
    this.close();
    libc.close(this.far);
  }

  #open({ platform, others }: Ports): void {
    this.#adopt(this.#listening!, platform);
    this.#listening = undefined;
    if (others.length === 0 && !this.#reached) this.#leaveNear();
  }

  #adopt(fd: number, accept: Accept | undefined): void {
    if (!accept) return void libc.close(fd);
    const server = new Server({ allowHalfOpen: true, noDelay: true });
    server.maxConnections = CONNECTIONS;
    server.on('connection', (connection: Socket) => {
      this.#connections.add(connection);
      connection.on('close', () => this.#connections.delete(connection));
      accept(connection);
    });
    // One that could not be accepted is lost to whoever made it, and to nobody else.
    server.on('error', () => {});
    server.listen({ fd });
    // A function that waits keeps no host alive.
    server.unref();
    this.#servers.push(server);
  }

  #leaveNear(): void {
    if (this.#near !== -1) libc.close(this.#near);
    this.#near = -1;
  }
}

/** Where the Runtime API is to be found inside: at the port that Lambda has it at, and under the name of its telemetry's addressees. */
export const RUNTIME_API = { address: '127.0.0.1', port: 9001, name: 'sandbox.localdomain sandbox' } as const satisfies Listener;

/** The ports of a sandbox: the platform's, the Runtime API's where there is one, and those of endpoints. */
export function portsOf(network: Network, connected: Connected, api: Accept | undefined): Ports {
  const endpoints = network.kind === 'egress' ? network.endpoints : [];
  return {
    platform: network.kind === 'egress' ? (connection) => connected(connection, undefined) : undefined,
    others: [
      ...(api ? [api] : []),
      ...endpoints.map(
        (endpoint): Accept =>
          (connection) =>
            connected(connection, endpoint),
      ),
    ],
  };
}

/** Where endpoints are to be found inside: at their own address, or at one made up for their name. */
export function listenersOf(network: Network): readonly Listener[] {
  if (network.kind !== 'egress') return [];
  const names = [...new Set(network.endpoints.map(({ host }) => host))].filter((host) => insideAddress(host) === undefined);
  return network.endpoints.map(({ host, port }) => {
    const address = insideAddress(host);
    return address === undefined ? { address: `127.1.0.${names.indexOf(host) + 1}`, port, name: host } : { address, port };
  });
}
