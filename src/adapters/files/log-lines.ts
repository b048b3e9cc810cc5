import type { FileHandle } from 'node:fs/promises';
import { quoted } from '../../protocol/mod.ts';
import { entriesOf } from '../../ports/mod.ts';
import type { InvocationReport, LogEntry } from '../../ports/mod.ts';
import type { LogRecord } from './log-buffer.ts';

/** One record as one line: JSON with short names, since there are many of them. The function's name is the file's. */
export function encodeLine(record: LogRecord): string {
  return 'text' in record ? encodeEntry(record) : encodeReport(record);
}

function encodeReport(r: InvocationReport): string {
  const init = r.initMs === undefined ? '' : `,"init":${hundredths(r.initMs)}`;
  const status = r.status === '' ? '' : `,"status":${JSON.stringify(r.status)}`;
  const begun = r.begun ? ',"begun":true' : '';
  return (
    `{"t":${r.startedMs},"id":${quoted(r.requestId)},"end":${r.endedMs},"version":${quoted(r.version)},"ms":${hundredths(r.durationMs)},` +
    `"billed":${r.billedMs},"memory":${r.memoryMiB},"used":${r.usedMiB}${init}${status}${begun}}\n`
  );
}

/** As they are shown. */
const hundredths = (ms: number): number => Math.round(ms * 100) / 100;

function encodeEntry(entry: LogEntry): string {
  const id = entry.requestId === undefined ? '' : `,"id":${JSON.stringify(entry.requestId)}`;
  const level = entry.level === undefined ? '' : `,"level":${JSON.stringify(entry.level)}`;
  return `{"t":${JSON.stringify(entry.timeMs)}${id}${level},"text":${JSON.stringify(entry.text)}}\n`;
}

/** The entries of a line, in order; none for what is no record: a line that a crash left torn. */
export function decodeLine(line: string, functionName: string): LogEntry[] {
  let fields: Fields | null;
  try {
    fields = JSON.parse(line) as Fields | null;
  } catch {
    return [];
  }
  if (typeof fields?.t !== 'number') return [];
  if (typeof fields.text === 'string') return [decodeEntry(fields, fields.t, fields.text, functionName)];
  const report = decodeReport(fields, fields.t, functionName);
  return report ? entriesOf(report) : [];
}

type Fields = Readonly<Record<string, unknown>>;

function decodeEntry(fields: Fields, timeMs: number, text: string, functionName: string): LogEntry {
  const { id, level } = fields;
  return {
    functionName,
    timeMs,
    ...(typeof id === 'string' ? { requestId: id } : {}),
    ...(typeof level === 'string' ? { level } : {}),
    text,
  };
}

function decodeReport(fields: Fields, startedMs: number, functionName: string): InvocationReport | undefined {
  const { id, end, version, ms, billed, memory, used, init, status, begun } = fields;
  if (typeof id !== 'string' || typeof version !== 'string' || typeof end !== 'number' || typeof ms !== 'number') return undefined;
  if (typeof billed !== 'number' || typeof memory !== 'number' || typeof used !== 'number') return undefined;
  return {
    functionName,
    version,
    requestId: id,
    startedMs,
    endedMs: end,
    durationMs: ms,
    billedMs: billed,
    memoryMiB: memory,
    usedMiB: used,
    initMs: typeof init === 'number' ? init : undefined,
    status: typeof status === 'string' ? status : '',
    begun: begun === true,
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
