import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { LIMITS } from '../../kernel/mod.ts';
import { FrameDecoder, FrameError } from '../../protocol/mod.ts';
import type { FrameKind } from '../../protocol/mod.ts';
import type { EventPipe } from './event-pipe.ts';

/** Who hears what arrives on a link. */
export interface LinkListener {
  /** `payload` is a view that is only valid during the call. Throws FrameError at what is not the protocol. */
  onFrame(kind: FrameKind, stream: number, payload: Buffer): void;
  /** Nothing comes any more; with the reason when it was ended for breaking the protocol. Called once. */
  onClosed(violation?: string): void;
}

/** One connection to a sandbox process: frames in, buffers out. */
export interface Link {
  listener: LinkListener;
  readonly open: boolean;
  /** The way of invocations, where they don't go over the link itself. */
  readonly events: EventPipe | undefined;
  /** Writes the first `length` bytes, which wait in the socket until the process at the other end reads them. `bytes` may be reused. */
  write(bytes: Buffer, length: number): void;
  pause(): void;
  resume(): void;
  /** Nothing more will be written: the other end reads the end. What it writes is still heard. */
  finish(): void;
  /** Closes because the other end broke the protocol. */
  violate(message: string): void;
  /** Closes at once; what was not read is lost. The listener hears of it. */
  destroy(): void;
}

/**
 * All links of `linkFd` receive into one buffer: what arrives is handled before the next read, and the decoder copies a torn frame's
 * beginning. That saves each of thousands of idle connections a buffer, and each read an allocation.
 */
const shared = Buffer.allocUnsafeSlow(256 * 1024);

/** A link over a descriptor: one end of a Unix socket pair. The descriptor, and the pipe beside it, belong to the link. */
export function linkFd(fd: number, events?: EventPipe): Link {
  const receive = (count: number): boolean => {
    link.receive(shared.subarray(0, count));
    return true;
  };
  // `onread` is documented for connections made by address; the constructor takes it all the same.
  const options = { fd, readable: true, writable: true, onread: { buffer: shared, callback: receive } };
  const link: SocketLink = new SocketLink(new Socket(options), fd, events);
  return link;
}

/** A link over a socket that Node made, such as a child process's stdio. */
export function linkSocket(socket: Socket): Link {
  const link = new SocketLink(socket, undefined, undefined);
  socket.on('data', (bytes: Buffer) => link.receive(bytes));
  return link;
}

/** The link of a process that could not be started. */
export function closedLink(): Link {
  return { listener: silent, open: false, events: undefined, write() {}, pause() {}, resume() {}, finish() {}, destroy() {}, violate() {} };
}

const silent: LinkListener = { onFrame() {}, onClosed() {} };

class SocketLink implements Link {
  listener: LinkListener = silent;
  readonly #socket: Socket;
  readonly #fd: number | undefined;
  readonly events: EventPipe | undefined;
  readonly #decoder: FrameDecoder;
  #open = true;
  #violation: string | undefined;

  constructor(socket: Socket, fd: number | undefined, events: EventPipe | undefined) {
    this.#socket = socket;
    this.#fd = fd;
    this.events = events;
    this.#decoder = new FrameDecoder(LIMITS.frameBytes, (kind, stream, payload) => {
      // A frame before it may have ended the link.
      if (this.#open) this.listener.onFrame(kind, stream, payload);
    });
    socket.on('end', () => this.destroy());
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
    socket.resume();
  }

  get open(): boolean {
    return this.#open;
  }

  receive(bytes: Buffer): void {
    if (!this.#open) return;
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.violate(error.message);
    }
  }

  write(bytes: Buffer, length: number): void {
    if (!this.#open || this.#socket.destroyed) return;
    const sent = this.#writeNow(bytes, length);
    if (sent < length) this.#socket.write(Buffer.from(bytes.subarray(sent, length)));
  }

  /** Past the stream machinery when nothing waits there: how many bytes the kernel took. */
  #writeNow(bytes: Buffer, length: number): number {
    if (this.#fd === undefined || this.#socket.writableLength > 0) return 0;
    try {
      return writeSync(this.#fd, bytes, 0, length);
    } catch (error) {
      // Full: the socket waits. Else the peer is gone, and what it has sent before is read to its end.
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : length;
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  finish(): void {
    if (this.#open) this.#socket.end();
  }

  violate(message: string): void {
    this.#violation ??= message;
    this.destroy();
  }

  destroy(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.destroy();
    this.listener.onClosed(this.#violation);
    this.events?.close();
  }
}
