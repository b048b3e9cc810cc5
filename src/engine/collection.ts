import type { StreamHead } from '../protocol/mod.ts';

/** A streamed answer whose caller wants it whole. */
export class Collection {
  readonly #chunks: Buffer[] = [];

  /** `head`: given when nobody else hears of it; its prelude then leads the body, as in what Lambda's Invoke returns. */
  constructor(head: StreamHead | undefined) {
    if (head?.prelude) this.#chunks.push(Buffer.from(JSON.stringify(head.prelude)), Buffer.alloc(PRELUDE_END_BYTES));
  }

  /** Copies the chunk: it is only valid during the call. */
  add(chunk: Buffer): void {
    this.#chunks.push(Buffer.from(chunk));
  }

  take(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
  }
}

/** Lambda separates the prelude from the body by eight null bytes. */
const PRELUDE_END_BYTES = 8;
