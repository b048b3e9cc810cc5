import { readSync } from 'node:fs';
import { damaged, quote, tooLarge } from './errors.ts';
import type { ImageLimits } from './limits.ts';

/** The files of an image, wherever they lie. All of it is for one reader at a time, on a thread that may block. */
export interface ImageFiles {
  /** Docker's format is read from archives only: its documents name files as they like, and in an archive no name leads outside. */
  readonly kind: 'archive' | 'directory';
  /** Bytes of a file; undefined when there is none of that name. */
  size(name: string): number | undefined;
  /** Throws HearthError `ImageDamaged` when there is none of that name. */
  stream(name: string): AsyncIterable<Buffer>;
  /** Its first bytes; fewer where it is shorter. */
  start(name: string, bytes: number): Buffer;
  /** The same as `stream`, whole; `ImageTooLarge` beyond `limits.documentBytes`. */
  read(name: string): Buffer;
  close(): void;
}

const CHUNK = 256 * 1024;

/** Bytes of a file, from `start` up to `end`, or to the file's end. The descriptor stays open, whatever becomes of the reader. */
export async function* readRange(
  fd: number,
  { start = 0, end = Infinity }: { readonly start?: number; readonly end?: number },
): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    const chunk = readStart(fd, at, Math.min(CHUNK, end - at));
    if (chunk.length === 0) return;
    yield chunk;
    at += chunk.length;
  }
}

type Place = { readonly name: string; readonly offset: number; readonly size: number; readonly limits: ImageLimits };

export function readDocument(fd: number, { name, offset, size, limits }: Place): Buffer {
  if (size > limits.documentBytes) throw tooLarge(`the document ${quote(name)} has ${size} bytes; ${limits.documentBytes} are allowed`);
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size;) {
    const read = readSync(fd, bytes, at, size - at, offset + at);
    if (read === 0) throw damaged(`${quote(name)} is cut off`);
    at += read;
  }
  return bytes;
}

export function readStart(fd: number, offset: number, bytes: number): Buffer {
  const start = Buffer.alloc(bytes);
  return start.subarray(0, readSync(fd, start, 0, bytes, offset));
}

export function missing(name: string): never {
  throw damaged(`${quote(name)} is missing`);
}
