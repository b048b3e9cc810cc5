/**
 * WASI 0.2: `wasi:io`, streams that lie whole in memory, and waiting. Nothing here ever has to be waited for but clocks, since the
 * event is there when a component is called, and what it writes is collected.
 */
import { nap } from '../ladder/nap.ts';

/** What a component gets as the error of a `result`; the translated code takes `payload` for it. */
export class Refusal extends Error {
  readonly payload: unknown;
  constructor(payload: unknown) {
    super('refused');
    this.payload = payload;
  }
}

/** Stands for a resource of which there never is one here. */
export class Absent {
  readonly absent = true;
}

/** `wasi:io/error`. Nothing here makes one: streams fail by being closed. */
export class IoError {
  toDebugString(): string {
    return 'error';
  }
}

const MS = 1_000_000n;
const LONGEST_WAIT_MS = 60_000;

export class Pollable {
  /** By `process.hrtime`; ready at once: 0. */
  readonly dueNs: bigint;
  constructor(dueNs = 0n) {
    this.dueNs = dueNs;
  }

  ready(): boolean {
    return this.dueNs === 0n || process.hrtime.bigint() >= this.dueNs;
  }

  block(): void {
    poll([this]);
  }
}

/** The numbers of those that are ready; waits until one is. To wait for nothing is a mistake for which WASI has a trap. */
export function poll(pollables: readonly Pollable[]): Uint32Array {
  if (pollables.length === 0) throw new Error('wasi:io/poll was called with nothing to wait for');
  for (;;) {
    const ready = pollables.flatMap((pollable, i) => (pollable.ready() ? [i] : []));
    if (ready.length > 0) return Uint32Array.from(ready);
    const leastNs = pollables.reduce((least, { dueNs }) => (dueNs < least ? dueNs : least), pollables[0]!.dueNs);
    const leftMs = Number((leastNs - process.hrtime.bigint() + MS - 1n) / MS);
    if (leftMs > 0) nap(Math.min(leftMs, LONGEST_WAIT_MS));
  }
}

/** At a time, however much is asked for. */
const PART_BYTES = 64 * 1024;
const closed = (): Refusal => new Refusal({ tag: 'closed' });

export class InputStream {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(length: bigint): Uint8Array {
    if (length === 0n) return new Uint8Array(0);
    if (this.#at === this.#bytes.length) throw closed();
    const part = this.#bytes.slice(this.#at, this.#at + Math.min(Number(length), PART_BYTES));
    this.#at += part.length;
    return part;
  }

  blockingRead(length: bigint): Uint8Array {
    return this.read(length);
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  blockingSkip(length: bigint): bigint {
    return this.skip(length);
  }

  subscribe(): Pollable {
    return new Pollable();
  }
}

export class OutputStream {
  readonly #take: (bytes: Uint8Array) => void;
  #open = true;

  constructor(take: (bytes: Uint8Array) => void) {
    this.#take = take;
  }

  /** What is written from now on goes nowhere. */
  end(): void {
    this.#open = false;
  }

  checkWrite(): bigint {
    this.flush();
    return BigInt(PART_BYTES);
  }

  write(contents: Uint8Array): void {
    this.flush();
    // A view into the memory of the component, which goes on writing there.
    this.#take(contents.slice());
  }

  flush(): void {
    if (!this.#open) throw closed();
  }

  blockingWriteAndFlush(contents: Uint8Array): void {
    this.write(contents);
  }

  blockingFlush(): void {
    this.flush();
  }

  writeZeroes(length: bigint): void {
    if (length > BigInt(PART_BYTES)) throw new Error('wasi:io/streams: more was written than check-write allows');
    this.write(new Uint8Array(Number(length)));
  }

  blockingWriteZeroesAndFlush(length: bigint): void {
    this.writeZeroes(length);
  }

  splice(source: InputStream, length: bigint): bigint {
    const part = source.read(length);
    this.write(part);
    return BigInt(part.length);
  }

  blockingSplice(source: InputStream, length: bigint): bigint {
    return this.splice(source, length);
  }

  subscribe(): Pollable {
    return new Pollable();
  }
}
