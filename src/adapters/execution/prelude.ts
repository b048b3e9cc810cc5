import type { StreamHead } from '../../protocol/mod.ts';
import { readPrelude } from '../link/mod.ts';

/** Between the prelude of a streamed answer, which is JSON, and its body. */
const DELIMITER = Buffer.alloc(8);
const PRELUDE_BYTES = 64 * 1024;

export class PreludeError extends Error {
  override readonly name = 'PreludeError';
}

/** Cuts the prelude off the beginning of a stream. */
export class PreludeReader {
  #held: Buffer = Buffer.alloc(0);

  /** The prelude and what follows of the body, once it is there whole. Throws PreludeError. */
  push(chunk: Buffer): { readonly prelude: NonNullable<StreamHead['prelude']>; readonly rest: Buffer } | undefined {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const end = this.#held.indexOf(DELIMITER);
    if (end === -1 && this.#held.length <= PRELUDE_BYTES) return undefined;
    if (end === -1 || end > PRELUDE_BYTES) throw new PreludeError('the prelude of a streamed answer is not ended by eight zero bytes');
    return { prelude: read(this.#held.subarray(0, end)), rest: this.#held.subarray(end + DELIMITER.length) };
  }
}

function read(bytes: Buffer): NonNullable<StreamHead['prelude']> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    throw new PreludeError('the prelude of a streamed answer is not JSON');
  }
  return typeof value === 'object' && value !== null ? readPrelude(value) : {};
}
