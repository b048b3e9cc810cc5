import { readTrace } from './read-trace.ts';
import type { ReadOptions, ReadTrace } from './read-trace.ts';
import type { TraceSource } from './source.ts';

/** A file in memory that comes in small chunks: a short one in chunks of 7 bytes. */
export function fileOf(name: string, text: string | Uint8Array): TraceSource {
  const bytes = Buffer.from(text);
  const chunkBytes = Math.max(7, Math.ceil(bytes.length / 1_000));
  return {
    name,
    async *open() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

export const read = (files: Readonly<Record<string, string>>, options: Partial<ReadOptions> = {}): Promise<ReadTrace> =>
  readTrace(
    Object.entries(files).map(([name, text]) => fileOf(name, text)),
    { name: 'test', ...options },
  );
