/**
 * What clients don't read of their answers lies in this process's memory. Once a second all connections are looked at: one that has read
 * nothing for a while is ended, and when all together hold too much, those that have been slow for longest are. Costs a request nothing.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Log, Timer } from '../kernel/mod.ts';

export type UnreadOptions = {
  readonly clock: Clock;
  readonly limits: { readonly unreadBytes: number; readonly stalledReaderMs: number };
  readonly log: Log;
};

const LOOK_MS = 1_000;

export class Unread {
  readonly #options: UnreadOptions;
  readonly #sockets = new Set<Socket>();
  /** Answers that wait for those before them on their connection. */
  readonly #behind = new Set<ServerResponse>();
  /** Connections that had something unread when they were looked at, the one for longest first. */
  readonly #slow = new Set<Socket>();
  #timer: Timer;

  constructor(options: UnreadOptions) {
    this.#options = options;
    this.#timer = options.clock.after(LOOK_MS, this.#look);
  }

  watch(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#slow.delete(socket);
    });
  }

  /** An answer that can't be sent before others are. */
  watchBehind(response: ServerResponse): void {
    this.#behind.add(response);
  }

  stop(): void {
    this.#timer.cancel();
  }

  readonly #look = (): void => {
    this.#timer = this.#options.clock.after(LOOK_MS, this.#look);
    let bytes = 0;
    for (const socket of this.#sockets) {
      bytes += socket.writableLength;
      if (socket.writableLength > 0) this.#hold(socket);
      else if (this.#slow.delete(socket)) this.#release(socket);
    }
    for (const response of this.#behind) {
      if (response.socket !== null || response.writableFinished || response.req.socket.destroyed) this.#behind.delete(response);
      else bytes += response.writableLength;
    }
    if (bytes > this.#options.limits.unreadBytes) this.#end(bytes);
  };

  /** The socket's own timer knows whether the kernel has taken any of a large write. */
  #hold(socket: Socket): void {
    if (this.#slow.has(socket)) return;
    this.#slow.add(socket);
    socket.setTimeout(this.#options.limits.stalledReaderMs);
    socket.on('timeout', endIfUnread);
  }

  /** A timeout that somebody else has set since stays. */
  #release(socket: Socket): void {
    socket.off('timeout', endIfUnread);
    if (socket.timeout === this.#options.limits.stalledReaderMs) socket.setTimeout(0);
  }

  #end(bytes: number): void {
    const { limits, log } = this.#options;
    log.warn(
      { bytes, limit: limits.unreadBytes },
      'clients read their answers too slowly; those that have been slow for longest are sent away',
    );
    let left = bytes;
    for (const socket of this.#slow) {
      if (left <= limits.unreadBytes) return;
      left -= socket.writableLength + this.#bytesBehind(socket);
      socket.destroy();
    }
  }

  #bytesBehind(socket: Socket): number {
    let bytes = 0;
    for (const response of this.#behind) if (response.req.socket === socket) bytes += response.writableLength;
    return bytes;
  }
}

function endIfUnread(this: Socket): void {
  if (this.writableLength > 0) this.destroy();
}
