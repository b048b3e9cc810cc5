import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Clock } from '../../kernel/mod.ts';

/** How much of it is kept to explain a sandbox's end. */
const LAST_WORDS_BYTES = 4096;
/** After so many bytes its reader rests for so long: whoever floods it waits, and nobody else does. */
const BURST_BYTES = 64 * 1024;
const REST_MS = 10;
const CHUNK_BYTES = 16 * 1024;

/** What the processes of a sandbox write to their standard output and error, which are one pipe. */
export class Output {
  /** The end of what was written last. */
  lastWords = '';
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #onChunk: (chunk: Buffer) => void;
  #bytes = 0;

  /** `fd`: the reading end. It belongs to this object. */
  constructor(fd: number, clock: Clock, onChunk: (chunk: Buffer) => void) {
    this.#fd = fd;
    this.#clock = clock;
    this.#onChunk = onChunk;
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', () => this.#socket.destroy());
  }

  /** Takes what has been written until now, as far as that is little. */
  flush(): void {
    if (this.#socket.destroyed) return;
    // While its reader rests some has been read already.
    while (this.#socket.read() !== null);
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let bytes = 0; bytes < BURST_BYTES;) {
      const count = this.#read(chunk);
      if (count <= 0) return;
      bytes += count;
      this.#take(Buffer.from(chunk.subarray(0, count)));
    }
  }

  /** What was written last is heard before. */
  close(): void {
    this.flush();
    this.#socket.destroy();
  }

  #read(chunk: Buffer): number {
    try {
      return readSync(this.#fd, chunk, 0, chunk.length, null);
    } catch {
      // EAGAIN: there is no more.
      return 0;
    }
  }

  #take(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes >= BURST_BYTES) {
      this.#bytes = 0;
      this.#socket.pause();
      this.#clock.after(REST_MS, () => this.#socket.resume());
    }
    this.lastWords = (this.lastWords + chunk.toString()).slice(-LAST_WORDS_BYTES);
    this.#onChunk(chunk);
  }
}
