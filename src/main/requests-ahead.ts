/** Requests that a client of node:http sends without waiting for the answers before them. Those answers lie in memory meanwhile. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../kernel/mod.ts';
import type { Unread } from './unread.ts';

/** So many of a connection are served at the same time, and so many more may wait. */
const SERVED = 8;
const WAITING = 256;

export class Ahead {
  readonly #unread: Unread;
  readonly #clock: Clock;
  readonly #ended = new WeakSet<Socket>();
  readonly #counts = new WeakMap<Socket, number>();

  constructor(unread: Unread, clock: Clock) {
    this.#unread = unread;
    this.#clock = clock;
  }

  /** Nothing more that came over this connection is served. */
  end(socket: Socket): void {
    this.#ended.add(socket);
  }

  /** `response` has no socket yet: it gets it when it is its turn. */
  take(request: IncomingMessage, response: ServerResponse, serve: (request: IncomingMessage, response: ServerResponse) => void): void {
    const { socket } = request;
    const count = (this.#counts.get(socket) ?? 0) + 1;
    this.#counts.set(socket, count);
    response.once('socket', () => void this.#counts.set(socket, this.#counts.get(socket)! - 1));
    if (count > WAITING) return void socket.destroy();
    this.#unread.watchBehind(response);
    const begin = () => {
      if (socket.writable && !this.#ended.has(socket)) serve(request, response);
    };
    // Not at once: a request before it may be refused, and what follows is not to be read then.
    if (count <= SERVED) this.#clock.soon(begin);
    else response.once('socket', begin);
  }
}
