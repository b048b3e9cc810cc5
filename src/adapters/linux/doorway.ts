import { Server } from 'node:net';
import type { Socket } from 'node:net';
import { insideAddress } from '../../protocol/mod.ts';
import type { Endpoint, Network } from '../../protocol/mod.ts';
import { libc } from '../../../runtimes/ladder/libc.ts';
import type { Listener } from '../../../runtimes/ladder/orders.ts';
import { receiveMessage, socketPair } from '../../../runtimes/ladder/messages.ts';

/** Someone inside has connected to the platform's port, or to an endpoint's. */
export type Connected = (connection: Socket, endpoint: Endpoint | undefined) => void;

/** Connections of one sandbox at a time, to each of its ports. More are ended at once. */
const CONNECTIONS = 1_000;

/**
 * What leads out of a sandbox's network: sockets that listen inside and whose connections come out here. The one of the platform's port is
 * made with the sandbox, so that a function need not wait for it; those of endpoints are made when the function is known.
 */
export class Doorway {
  /** The end to give away. */
  readonly far: number;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Socket>();
  #near: number;
  #listening: number | undefined;
  #network: Network | undefined;
  #connected: Connected = (connection) => void connection.destroy();
  #closed = false;

  constructor() {
    [this.#near, this.far] = socketPair();
  }

  /** The sandbox is there: what it has sent can be read without waiting. */
  born(): void {
    if (this.#closed) return;
    this.#listening = receiveMessage(this.#near)?.fds[0];
    if (this.#network) this.#open(this.#network);
  }

  /** The function is known. */
  open(network: Network, connected: Connected): void {
    this.#network = network;
    this.#connected = connected;
    if (this.#listening !== undefined) this.#open(network);
  }

  /** The sockets of endpoints have been sent. */
  listening(): void {
    if (this.#closed || this.#network?.kind !== 'egress') return;
    const { endpoints } = this.#network;
    for (const [i, fd] of (receiveMessage(this.#near)?.fds ?? []).entries()) this.#adopt(fd, endpoints[i]);
    this.#leaveNear();
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

  #open(network: Network): void {
    const listening = this.#listening!;
    this.#listening = undefined;
    if (network.kind === 'egress') this.#adopt(listening, undefined);
    else libc.close(listening);
    if (network.kind !== 'egress' || network.endpoints.length === 0) this.#leaveNear();
  }

  #adopt(fd: number, endpoint: Endpoint | undefined): void {
    const server = new Server({ allowHalfOpen: true, noDelay: true });
    server.maxConnections = CONNECTIONS;
    server.on('connection', (connection: Socket) => {
      this.#connections.add(connection);
      connection.on('close', () => this.#connections.delete(connection));
      this.#connected(connection, endpoint);
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

/** Where endpoints are to be found inside: at their own address, or at one made up for their name. */
export function listenersOf(network: Network): readonly Listener[] {
  if (network.kind !== 'egress') return [];
  const names = [...new Set(network.endpoints.map(({ host }) => host))].filter((host) => insideAddress(host) === undefined);
  return network.endpoints.map(({ host, port }) => {
    const address = insideAddress(host);
    return address === undefined ? { address: `127.1.0.${names.indexOf(host) + 1}`, port, name: host } : { address, port };
  });
}
