import type { FileHandle } from 'node:fs/promises';
import type { LogEntry } from '../../ports/mod.ts';

/** One entry as one line: JSON with short names, since there are many of them. The function's name is the file's. */
export function encodeLine(entry: LogEntry): string {
  const id = entry.requestId === undefined ? '' : `,"id":${JSON.stringify(entry.requestId)}`;
  const level = entry.level === undefined ? '' : `,"level":${JSON.stringify(entry.level)}`;
  return `{"t":${JSON.stringify(entry.timeMs)}${id}${level},"text":${JSON.stringify(entry.text)}}\n`;
}

/** Undefined for what is no entry: a line that a crash left torn. */
export function decodeLine(line: string, functionName: string): LogEntry | undefined {
  let fields: { readonly t?: unknown; readonly id?: unknown; readonly level?: unknown; readonly text?: unknown } | null;
  try {
    fields = JSON.parse(line) as typeof fields;
  } catch {
    return undefined;
  }
  if (typeof fields?.t !== 'number' || typeof fields.text !== 'string') return undefined;
  return {
    functionName,
    timeMs: fields.t,
    ...(typeof fields.id === 'string' ? { requestId: fields.id } : {}),
    ...(typeof fields.level === 'string' ? { level: fields.level } : {}),
    text: fields.text,
  };
}

const CHUNK_BYTES = 256 * 1024;

/** The lines in the first `size` bytes of a file, the last one first, in batches of what one read brings. */
export async function* linesBackwards(file: FileHandle, size: number): AsyncGenerator<string[]> {
  // The end of a line whose beginning lies before what has been read.
  let tail: Buffer = Buffer.alloc(0);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.allocUnsafe(end - start);
    const { bytesRead } = await file.read(chunk, 0, chunk.length, start);
    const block = Buffer.concat([chunk.subarray(0, bytesRead), tail]);
    const { lines, rest } = cut(block, start === 0);
    yield lines;
    tail = rest;
    end = start;
  }
}

/** `whole`: the block begins where a line begins. */
function cut(block: Buffer, whole: boolean): { lines: string[]; rest: Buffer } {
  const lines: string[] = [];
  let end = block.length;
  while (end > 0) {
    const newline = block.lastIndexOf(0x0a, end - 1);
    if (newline < 0 && !whole) break;
    if (newline + 1 < end) lines.push(block.toString('utf8', newline + 1, end));
    end = Math.max(0, newline);
  }
  return { lines, rest: block.subarray(0, end) };
}
