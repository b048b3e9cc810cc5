import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { HearthError } from '../kernel/mod.ts';
import { TRACE_FORMATS, readTrace } from '../replay/mod.ts';
import type { ReadTrace, TraceFormat, TraceSource } from '../replay/mod.ts';

/** Reads a trace from files, or from the one trace that is in a directory. Throws HearthError `BadUsage`, `TraceInvalid` or `TraceTooLarge`. */
export async function readTraceFiles(directory: string, paths: readonly string[], format: string | undefined): Promise<ReadTrace> {
  const known = TRACE_FORMATS.find((each) => each === format);
  if (format !== undefined && !known) throw new HearthError('BadUsage', `--format ${format}: give one of ${TRACE_FORMATS.join(', ')}`);
  const files: string[] = [];
  for (const path of paths) files.push(...(await filesAt(resolve(directory, path), known)));
  const [first = ''] = paths;
  return readTrace(files.map(sourceOf), { name: basename(resolve(directory, first)), ...(known && { format: known }) });
}

function sourceOf(path: string): TraceSource {
  return {
    name: basename(path),
    async *open() {
      try {
        for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) yield chunk as Uint8Array;
      } catch (error) {
        throw unreadable(path, error);
      }
    },
  };
}

async function filesAt(path: string, format: TraceFormat | undefined): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = (await readdir(path)).toSorted();
    const tables = names.filter((name) => name.endsWith('.csv'));
    const documents = names.filter((name) => /\.jsonl?$/.test(name));
    const chosen = (format ?? (tables.length > 0 ? 'azure' : 'compact')) === 'azure' ? tables : documents;
    if (chosen.length > 0) return chosen.map((name) => join(path, name));
  } catch (error) {
    throw unreadable(path, error);
  }
  throw new HearthError('TraceInvalid', `${path}: there is no trace in this directory: neither .csv, nor .json or .jsonl`);
}

function unreadable(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === undefined || error instanceof HearthError) return error;
  return new HearthError('TraceInvalid', `${path}: cannot be read (${code})`, { cause: error });
}
