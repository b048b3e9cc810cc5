import { Socket } from 'node:net';
import { SystemCallError, libc } from '../../../runtimes/ladder/libc.ts';
import { RECORD_BYTES, decodeRecord, sendMessage, socketPair } from '../../../runtimes/ladder/messages.ts';
import type { Record } from '../../../runtimes/ladder/messages.ts';

export type ControlOptions = {
  readonly onRecord: (record: Record) => void;
  /** Every copy of the other end is closed: who held it is gone. */
  readonly onClosed: () => void;
  /** Nothing waits any more to be sent. */
  readonly onRoom?: () => void;
};

/** The host's end of a connection to a zygote or a keeper: messages with descriptors go out, fixed-size records come in. */
export class Control {
  /** The end to give away. */
  readonly far: number;
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #onRoom: (() => void) | undefined;
  readonly #waiting: { message: unknown; fds: readonly number[] }[] = [];
  #closed = false;
  #rest = Buffer.alloc(0);

  constructor(options: ControlOptions) {
    [this.#fd, this.far] = socketPair();
    this.#onRoom = options.onRoom;
    this.#socket = new Socket({ fd: this.#fd, readable: true, writable: true });
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk, options.onRecord));
    // What matters is that it is closed; 'close' follows.
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      this.#closed = true;
      for (const { fds } of this.#waiting.splice(0)) for (const fd of fds) libc.close(fd);
      options.onClosed();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether what is sent now waits behind something. */
  get full(): boolean {
    return this.#waiting.length > 0;
  }

  /** Sends in order and closes `fds` here, in any case. What is sent to a peer that is gone is dropped: `onClosed` says so. */
  send(message: unknown, fds: readonly number[] = []): void {
    if (this.#waiting.length > 0) this.#waiting.push({ message, fds });
    else if (!this.#trySend(message, fds)) {
      this.#waiting.push({ message, fds });
      this.#retry();
    }
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #trySend(message: unknown, fds: readonly number[]): boolean {
    // Once it is destroyed its descriptor may be somebody else's, and 'close' comes a moment later.
    if (!this.#closed && !this.#socket.destroyed) {
      try {
        if (!sendMessage(this.#fd, message, fds)) return false;
      } catch (error) {
        // One that is gone may have sent something before: the socket reads that, and its own 'close' is the one place that reports the end.
        if (!isGone(error)) this.#socket.destroy();
      }
    }
    for (const fd of fds) libc.close(fd);
    return true;
  }

  /** The peer reads one message after the other: room comes back by itself. */
  #retry(): void {
    setTimeout(() => {
      while (this.#waiting.length > 0) {
        const next = this.#waiting[0]!;
        if (!this.#trySend(next.message, next.fds)) return this.#retry();
        this.#waiting.shift();
      }
      this.#onRoom?.();
    }, 1);
  }

  #receive(chunk: Buffer, onRecord: (record: Record) => void): void {
    const all = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (; at + RECORD_BYTES <= all.length; at += RECORD_BYTES) onRecord(decodeRecord(all, at));
    this.#rest = Buffer.from(all.subarray(at));
  }
}

const EPIPE = 32;
const ECONNRESET = 104;
const isGone = (error: unknown): boolean => error instanceof SystemCallError && (error.errno === EPIPE || error.errno === ECONNRESET);
