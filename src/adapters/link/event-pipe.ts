/**
 * The way of invocations to an instance that runs one at a time: a pipe in packet mode (pipe(7), O_DIRECT). Each small frame is a packet
 * that is read by itself, so that whatever lies in the pipe has not been begun, and can be taken back by whoever opens its other end:
 * the kernel gives each packet to one reader.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { FRAME_HEAD_BYTES } from '../../protocol/mod.ts';

/** PIPE_BUF: what is written in one piece, or not at all. */
const PACKET_BYTES = 4096;
const packet = Buffer.allocUnsafeSlow(PACKET_BYTES);
/** More than a pipe holds of its own accord. */
const MOST_PACKETS = 256;

export class EventPipe {
  readonly #fd: number;
  #open = true;
  /** For what isn't small, or has no room: another way into the same pipe, as a stream. */
  #stream: Socket | undefined;

  /** `fd`: the writing end, which does not block. It belongs to this object. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Writes a frame, the first `length` bytes; what has no room yet goes later. Whether it is a packet, which can be taken back. */
  write(bytes: Buffer, length: number): boolean {
    if (this.writePacket(bytes, length)) return true;
    if (!this.#open) return false;
    this.#stream ??= this.#openStream();
    this.#stream?.write(Buffer.from(bytes.subarray(0, length)));
    return false;
  }

  /** The same if it can be taken back; false: it can't, and nothing was done. */
  writePacket(bytes: Buffer, length: number): boolean {
    if (!this.#open || length > PACKET_BYTES || (this.#stream && this.#stream.writableLength > 0)) return false;
    try {
      return writeSync(this.#fd, bytes, 0, length) === length;
    } catch {
      // Full, or the instance is gone, which its link finds out.
      return false;
    }
  }

  /**
   * Takes back the packets that nobody has read. Where host and function are the same user the function can write into the pipe too:
   * so that it can't keep the host reading there is an end to it, and what is no frame is left out.
   */
  take(): Buffer[] {
    const taken: Buffer[] = [];
    if (!this.#open) return taken;
    let fd: number | undefined;
    try {
      fd = openSync(`/proc/self/fd/${this.#fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
      for (let i = 0; i < MOST_PACKETS; i++) {
        const count = readSync(fd, packet, 0, PACKET_BYTES, null);
        if (count === 0) break;
        if (count >= FRAME_HEAD_BYTES) taken.push(Buffer.from(packet.subarray(0, count)));
      }
    } catch {
      // EAGAIN: there is no more.
    }
    if (fd !== undefined) closeSync(fd);
    return taken;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stream?.destroy();
    closeSync(this.#fd);
  }

  #openStream(): Socket | undefined {
    try {
      const fd = openSync(`/proc/self/fd/${this.#fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
      const stream = new Socket({ fd, readable: false, writable: true });
      stream.on('error', () => stream.destroy());
      return stream;
    } catch {
      // Nobody reads any more.
      return undefined;
    }
  }
}
