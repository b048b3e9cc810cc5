/**
 * The sandbox's end of the frame protocol (src/protocol/frames.ts says what a frame is): blocking reads and writes on a descriptor,
 * without an event-loop handle. While it waits for a frame the whole process stands still, as Lambda freezes an idle environment,
 * and a warm invocation costs one read and one write.
 *
 * User code shares this process, so everything used here is taken from the globals before user code can change them. The runtime's
 * files are copied elsewhere to run and import nothing but what lies in this directory and in the ladder's: the protocol's constants are repeated, a test compares.
 */
import { readSync, writeSync } from 'node:fs';
import { readUint32 } from '../ladder/uint32.ts';
import { nap } from '../ladder/nap.ts';
import { uncurry } from '../ladder/uncurry.ts';

export const HEAD_BYTES = 9;
export const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;
export const KIND = {
  invoke: 0x01,
  invokeForm: 0x02,
  ready: 0x10,
  initError: 0x11,
  steps: 0x12,
  compileCache: 0x13,
  response: 0x20,
  error: 0x21,
  streamHead: 0x22,
  streamChunk: 0x23,
  streamEnd: 0x24,
  goesOn: 0x25,
  over: 0x26,
  log: 0x30,
  exit: 0x31,
} as const;

const BUFFER_BYTES = 64 * 1024;
const { allocUnsafeSlow, byteLength } = Buffer;
const prototype = Buffer.prototype as Buffer;
const writeText = uncurry<Buffer, [string, number, number, BufferEncoding], number>(prototype.write);
/** What `toString` comes down to. */
const readText = uncurry<Buffer, [number, number], string>(
  (prototype as unknown as { utf8Slice(from: number, to: number): string }).utf8Slice,
);
const readLatin1 = uncurry<Buffer, [number, number], string>(
  (prototype as unknown as { latin1Slice(from: number, to: number): string }).latin1Slice,
);
const readBase64 = uncurry<Buffer, [number, number], string>(
  (prototype as unknown as { base64Slice(from: number, to: number): string }).base64Slice,
);
const set = uncurry<Uint8Array, [Uint8Array, number], void>(Uint8Array.prototype.set);
const slice = uncurry<Buffer, [number, number], Buffer>(prototype.subarray);
const move = uncurry<Uint8Array, [number, number, number], Uint8Array>(Uint8Array.prototype.copyWithin);
const { setTimeout } = globalThis;

export class Channel {
  /** The frame that `read` or `next` found: its payload lies in `buffer` from `from` to `to` until the next call. */
  kind = 0;
  stream = 0;
  from = 0;
  to = 0;
  /** Called when the host is gone; it ends the process. */
  lost: () => void = () => {};
  #fd: number;
  /** Where it reads. */
  #events: number;
  readonly #base = allocUnsafeSlow(BUFFER_BYTES);
  buffer = this.#base;
  #start = 0;
  #end = 0;
  #out = allocUnsafeSlow(BUFFER_BYTES);
  /** Evented: what a full socket did not take waits here, and the event loop goes on. Blocking: writing waits. */
  #evented = false;
  #queue: Buffer[] = [];
  #whenDrained: (() => void)[] = [];

  constructor(fd: number) {
    this.#fd = fd;
    this.#events = fd;
  }

  get fd(): number {
    return this.#fd;
  }

  /** Goes on with other descriptors, to write to and to read from, and forgets what was read from the one before. */
  swap(fd: number, events: number = fd): void {
    this.#fd = fd;
    this.#events = events;
    this.buffer = this.#base;
    this.#start = this.#end = 0;
  }

  /** Blocks until there is a frame; false: the host has closed. Throws at a frame over the limit. */
  read(): boolean {
    while (!this.next()) if (!this.#fill()) return false;
    return true;
  }

  /** The current frame is the next one again. */
  unread(): void {
    this.#start = this.from - HEAD_BYTES;
  }

  /** The next frame of what was read already; false when it is not there whole. */
  next(): boolean {
    const { buffer } = this;
    const available = this.#end - this.#start;
    if (available < HEAD_BYTES) return false;
    const length = readUint32(buffer, this.#start);
    if (length > MAX_PAYLOAD_BYTES) throw new Error(`a frame of ${length} bytes is over the limit`);
    if (available < HEAD_BYTES + length) return false;
    this.kind = buffer[this.#start + 4]!;
    this.stream = readUint32(buffer, this.#start + 5);
    this.from = this.#start + HEAD_BYTES;
    this.to = this.from + length;
    this.#start = this.to;
    return true;
  }

  /** Text of the current frame. */
  text(from: number, to: number): string {
    return readText(this.buffer, from, to);
  }

  latin1(from: number, to: number): string {
    return readLatin1(this.buffer, from, to);
  }

  base64(from: number, to: number): string {
    return readBase64(this.buffer, from, to);
  }

  /** Evented reading: takes what a socket has received; `next` then finds the frames. */
  feed(bytes: Uint8Array): void {
    this.#makeRoom(Math.max(this.#end - this.#start + bytes.length, this.#expected()));
    set(this.buffer, bytes, this.#end);
    this.#end += bytes.length;
  }

  /** From now on the descriptor does not block, and what it does not take at once is written later. */
  becomeEvented(): void {
    this.#evented = true;
  }

  /** A frame whose payload is a number of `prefixBytes` bytes (0, 1 or 4) and a text. */
  sendText(kind: number, stream: number, prefixBytes: number, prefix: number, text: string): void {
    const at = HEAD_BYTES + prefixBytes;
    const fits = at + text.length * 3 <= this.#out.length;
    const frame = fits ? this.#out : allocUnsafeSlow(at + byteLength(text));
    const length = text === '' ? 0 : writeText(frame, text, at, frame.length - at, 'utf8');
    writeHead(frame, kind, stream, prefixBytes + length);
    if (prefixBytes === 4) writeUint32(frame, HEAD_BYTES, prefix);
    else if (prefixBytes === 1) frame[HEAD_BYTES] = prefix;
    this.#write(frame, at + length);
  }

  sendBytes(kind: number, stream: number, bytes: Uint8Array): void {
    const size = HEAD_BYTES + bytes.length;
    const frame = size <= this.#out.length ? this.#out : allocUnsafeSlow(size);
    writeHead(frame, kind, stream, bytes.length);
    set(frame, bytes, HEAD_BYTES);
    this.#write(frame, size);
  }

  /** A frame whose payload is a number of 4 bytes and bytes. */
  sendNumbered(kind: number, stream: number, number: number, bytes: Uint8Array): void {
    const at = HEAD_BYTES + 4;
    const size = at + bytes.length;
    const frame = size <= this.#out.length ? this.#out : allocUnsafeSlow(size);
    writeHead(frame, kind, stream, 4 + bytes.length);
    writeUint32(frame, HEAD_BYTES, number);
    set(frame, bytes, at);
    this.#write(frame, size);
  }

  /** Calls back once everything sent so far has been taken by the socket: at once, unless evented and full. */
  drained(callback: () => void): void {
    if (this.#queue.length === 0) callback();
    else this.#whenDrained.push(callback);
  }

  /** Writes what waits, however long the host takes: the process is about to end. */
  flush(): void {
    this.#evented = false;
    const waiting = this.#queue;
    this.#queue = [];
    for (let i = 0; i < waiting.length; i++) this.#write(waiting[i]!, waiting[i]!.length);
  }

  #write(frame: Buffer, length: number): void {
    if (this.#queue.length > 0) {
      this.#enqueue(frame, 0, length);
      return;
    }
    for (let at = 0, naps = 0; at < length;) {
      const count = this.#attempt(frame, at, length);
      if (count < 0) return;
      at += count;
      if (count > 0) continue;
      if (this.#evented) {
        this.#enqueue(frame, at, length);
        return;
      }
      sleep(naps++);
    }
  }

  /** How many bytes the socket took; 0: it is full; -1: it is gone. */
  #attempt(frame: Buffer, at: number, length: number): number {
    try {
      return writeSync(this.#fd, frame, at, length - at, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN' || code === 'EINTR') return 0;
      this.lost();
      return -1;
    }
  }

  #enqueue(frame: Buffer, at: number, length: number): void {
    const rest = allocUnsafeSlow(length - at);
    set(rest, slice(frame, at, length), 0);
    this.#queue.push(rest);
    if (this.#queue.length === 1) this.#retry();
  }

  #retry(): void {
    setTimeout(() => {
      while (this.#queue.length > 0) {
        const first = this.#queue[0]!;
        const count = this.#attempt(first, 0, first.length);
        if (count < 0) return;
        if (count < first.length) {
          this.#queue[0] = slice(first, count, first.length);
          this.#retry();
          return;
        }
        this.#queue.shift();
      }
      for (const callback of this.#whenDrained.splice(0)) callback();
    }, 1);
  }

  #fill(): boolean {
    this.#makeRoom(this.#expected());
    for (let naps = 0; ; naps++) {
      try {
        const count = readSync(this.#events, this.buffer, this.#end, this.buffer.length - this.#end, null);
        this.#end += count;
        return count > 0;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ECONNRESET') return false;
        if (code === 'EAGAIN') sleep(naps);
        else if (code !== 'EINTR') throw error;
      }
    }
  }

  /** The size of the frame that has begun, as far as it is known. */
  #expected(): number {
    return this.#end - this.#start < HEAD_BYTES ? HEAD_BYTES : HEAD_BYTES + readUint32(this.buffer, this.#start);
  }

  /** Room for `size` bytes from `#start` on, and at least one byte to read into. Moves what was not read yet to the front. */
  #makeRoom(size: number): void {
    const available = this.#end - this.#start;
    if (available === 0) {
      this.buffer = size <= BUFFER_BYTES ? this.#base : allocUnsafeSlow(size);
      this.#start = this.#end = 0;
    } else if (this.buffer.length - this.#start < size || this.#end === this.buffer.length) {
      const target = size <= this.buffer.length ? this.buffer : allocUnsafeSlow(size);
      if (target === this.buffer) move(target, 0, this.#start, this.#end);
      else set(target, slice(this.buffer, this.#start, this.#end), 0);
      this.buffer = target;
      this.#start = 0;
      this.#end = available;
    }
  }
}

function writeHead(frame: Buffer, kind: number, stream: number, length: number): void {
  writeUint32(frame, 0, length);
  frame[4] = kind;
  writeUint32(frame, 5, stream);
}

function writeUint32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}

/** A descriptor that does not block is full or empty: sleep 1 ms, then longer, up to 16 ms. */
function sleep(naps: number): void {
  nap(2 ** Math.min(naps, 4));
}
