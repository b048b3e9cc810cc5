import type { FileHandle } from 'node:fs/promises';
import { quoted } from '../../protocol/mod.ts';
import { entriesOf, hundredths, startOfLone, startOfReport } from '../../ports/mod.ts';
import type { InvocationReport, LogEntry, LoneStart, StartRecord } from '../../ports/mod.ts';
import type { LogRecord } from './log-buffer.ts';
import { decodeStart, encodeStart } from './start-fields.ts';

/** One record as one line: JSON with short names, since there are many of them. The function's name is the file's. */
export function encodeLine(record: LogRecord): string {
  if ('text' in record) return encodeEntry(record);
  return 'durationMs' in record ? encodeReport(record) : encodeLoneStart(record);
}

function encodeReport(r: InvocationReport): string {
  const init = r.initMs === undefined ? '' : `,"init":${hundredths(r.initMs)}`;
  const status = r.status === '' ? '' : `,"status":${JSON.stringify(r.status)}`;
  const begun = r.begun ? ',"begun":true' : '';
  const wait = r.waitedMs > 0 ? `,"wait":${hundredths(r.waitedMs)}` : '';
  const trigger = r.trigger === undefined ? '' : `,"by":${quoted(r.trigger)}`;
  const start = r.start ? encodeStart(r.start) : '';
  return (
    `{"t":${r.startedMs},"id":${quoted(r.requestId)},"end":${r.endedMs},"version":${quoted(r.version)},"ms":${hundredths(r.durationMs)},` +
    `"billed":${r.billedMs},"memory":${r.memoryMiB},"used":${r.usedMiB}${init}${status}${begun}${wait}${trigger}${start}}\n`
  );
}

function encodeLoneStart({ id, timeMs, version, start }: LoneStart): string {
  return `{"t":${timeMs},"id":${quoted(id)},"version":${quoted(version)}${encodeStart(start)}}\n`;
}

function encodeEntry(entry: LogEntry): string {
  const id = entry.requestId === undefined ? '' : `,"id":${JSON.stringify(entry.requestId)}`;
  const level = entry.level === undefined ? '' : `,"level":${JSON.stringify(entry.level)}`;
  return `{"t":${JSON.stringify(entry.timeMs)}${id}${level},"text":${JSON.stringify(entry.text)}}\n`;
}

/** The entries of a line, in order; none for what is no record: a line that a crash left torn. */
export function decodeLine(line: string, functionName: string): LogEntry[] {
  const fields = parse(line);
  if (!fields) return [];
  if (typeof fields['text'] === 'string') return [decodeEntry(fields, fields.t, fields['text'], functionName)];
  const report = decodeReport(fields, fields.t, functionName);
  return report ? entriesOf(report) : [];
}

/** The start that a line tells of, if it does. */
export function decodeStartLine(line: string, functionName: string): StartRecord | undefined {
  const fields = parse(line);
  if (!fields || typeof fields['text'] === 'string') return undefined;
  const report = decodeReport(fields, fields.t, functionName);
  if (report) return startOfReport(report);
  const { id, version } = fields;
  const start = decodeStart(fields);
  if (!start || typeof id !== 'string' || typeof version !== 'string') return undefined;
  return startOfLone({ id, functionName, version, timeMs: fields.t, start });
}

/** The report that a line is, if it is one. */
export function decodeReportLine(line: string, functionName: string): InvocationReport | undefined {
  const fields = parse(line);
  return fields && typeof fields['text'] !== 'string' ? decodeReport(fields, fields.t, functionName) : undefined;
}

type Fields = Readonly<Record<string, unknown>> & { readonly t: number };

function parse(line: string): Fields | undefined {
  try {
    const fields = JSON.parse(line) as Fields | null;
    return typeof fields?.t === 'number' ? fields : undefined;
  } catch {
    return undefined;
  }
}

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
  const { id, end, version, ms, billed, memory, used, init, status, begun, wait, by } = fields;
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
    start: decodeStart(fields),
    waitedMs: typeof wait === 'number' ? wait : 0,
    ...(typeof by === 'string' && { trigger: by }),
  };
}

const CHUNK_BYTES = 256 * 1024;

/** The lines in the first `size` bytes of a file, the last one first, in batches of what one read brings. */
export async function* linesBackwards(file: FileHandle, size: number): AsyncGenerator<string[]> {
  for await (const block of blocksBackwards(file, size)) yield linesOf(block);
}

/** The first `size` bytes of a file as blocks of whole lines, the last one first. */
export async function* blocksBackwards(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  // The end of a line whose beginning lies before what has been read.
  let tail: Buffer = Buffer.alloc(0);
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = Buffer.allocUnsafe(end - start);
    const { bytesRead } = await file.read(chunk, 0, chunk.length, start);
    const read = Buffer.concat([chunk.subarray(0, bytesRead), tail]);
    const from = start === 0 ? 0 : read.indexOf(0x0a) + 1;
    if (from > 0 || start === 0) yield read.subarray(from);
    tail = from > 0 ? read.subarray(0, from) : read;
    end = start;
  }
}

/** The lines in the first `size` bytes of a file, the first one first, in batches of what one read brings. */
export async function* linesForwards(file: FileHandle, size: number): AsyncGenerator<string[]> {
  let head: Buffer = Buffer.alloc(0);
  for (let at = 0; at < size;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    const read = Buffer.concat([head, chunk.subarray(0, bytesRead)]);
    const end = read.lastIndexOf(0x0a) + 1;
    head = read.subarray(end);
    yield linesOf(read.subarray(0, end)).reverse();
  }
}

/** The last one first. */
export function linesOf(block: Buffer): string[] {
  const lines: string[] = [];
  for (let end = block.length; end > 0;) {
    const newline = block.lastIndexOf(0x0a, end - 1);
    if (newline + 1 < end) lines.push(block.toString('utf8', newline + 1, end));
    end = newline;
  }
  return lines;
}
