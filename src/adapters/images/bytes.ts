/** The stages that a layer's bytes pass: held against their digest, decompressed, held against the limits and against their digest again. */
import { createHash } from 'node:crypto';
import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { algorithmOf } from './digest.ts';
import type { Digest } from './digest.ts';
import { damaged, tooLarge } from './errors.ts';
import type { ImageLimits } from './limits.ts';

type Stage = (chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer>;
/** How much has passed a stage so far. */
export type Passed = { bytes: number };

/** As many bytes as it takes to tell how something is compressed. */
export const START_BYTES = 4;
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const OUTPUT_CHUNK = 256 * 1024;

/** By what the bytes are, whatever they are called. Undefined: they are not compressed. */
export function decompressor(start: Buffer): Transform | undefined {
  if (start.subarray(0, GZIP.length).equals(GZIP)) return createGunzip({ chunkSize: OUTPUT_CHUNK });
  if (start.subarray(0, ZSTD.length).equals(ZSTD)) return createZstdDecompress({ chunkSize: OUTPUT_CHUNK });
  return undefined;
}

export const counted = (passed: Passed): Stage =>
  async function* (chunks) {
    for await (const chunk of chunks) {
      passed.bytes += chunk.length;
      yield chunk;
    }
  };

/** Throws `ImageDamaged` when the bytes have another digest, or another size where one is known. */
export const verified = (digest: Digest, what: string, size?: number): Stage =>
  async function* (chunks) {
    const hash = createHash(algorithmOf(digest));
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (size !== undefined && bytes > size) break;
      hash.update(chunk);
      yield chunk;
    }
    if (size !== undefined && bytes !== size) throw damaged(`${what} does not have the ${size} bytes that it should have`);
    const actual = `${algorithmOf(digest)}:${hash.digest('hex')}`;
    if (actual !== digest) throw damaged(`${what} has the digest ${actual}, not ${digest}`);
  };

/** `read`: what has gone into the decompression so far. */
export type Bound = { readonly what: string; readonly maxBytes: number; readonly read: Passed; readonly limits: ImageLimits };

/** Throws `ImageTooLarge` before it lets through more than `maxBytes`, or far more than has been read for it. */
export const limited = ({ what, maxBytes, read, limits }: Bound): Stage =>
  async function* (chunks) {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(`${what} holds more than the ${maxBytes} bytes that are allowed`);
      if (bytes > limits.compressionFreeBytes + limits.compressionRatio * read.bytes)
        throw tooLarge(`${what} holds more than ${limits.compressionRatio} times its compressed bytes`);
      yield chunk;
    }
  };
