/**
 * What `hearth export trace` writes: lines of JSON, the first a header with the version of the format, the last the number of invocations, so
 * that a file that broke off is known as that. In between one line an invocation, each by itself, in any order.
 */
import { HearthError } from '../../kernel/mod.ts';
import { INVOCATION_TRACE } from '../../protocol/mod.ts';
import { invalid } from './csv.ts';
import { shown } from './columns.ts';
import { FunctionRecord } from './hearth-record.ts';
import { linesOf } from './lines.ts';
import type { ReadTrace } from './read-trace.ts';
import { TRACE_LIMITS, tooLarge } from './source.ts';
import type { TraceSource } from './source.ts';

const MINUTE_MS = 60_000;

type Fields = Readonly<Record<string, unknown>>;

export async function readHearth(source: TraceSource, name: string): Promise<ReadTrace> {
  const file = source.name;
  const records = new Map<string, FunctionRecord>();
  const reading: Reading = { file, records, arrivals: 0, ended: undefined, cut: 0, limited: false };
  let line = 0;
  for await (const lines of linesOf(source.open(), file)) {
    for (const text of lines) {
      line++;
      if (text === '') continue;
      const fields = parsed(text, file, line);
      if (line === 1) checkHeader(fields, file);
      else take(fields, line, reading);
    }
  }
  if (reading.ended === undefined)
    throw new HearthError('TraceInvalid', `${file}: breaks off after line ${line}: the export did not end. Export again`);
  if (reading.ended !== reading.arrivals)
    throw new HearthError('TraceInvalid', `${file}: holds ${reading.arrivals} invocations, but its last line says ${reading.ended}`);
  if (reading.arrivals === 0) throw new HearthError('TraceInvalid', `${file}: holds no invocations`);
  return finish(reading, name);
}

type Reading = {
  readonly file: string;
  readonly records: Map<string, FunctionRecord>;
  arrivals: number;
  ended: number | undefined;
  cut: number;
  limited: boolean;
};

function parsed(text: string, file: string, line: number): Fields {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  } catch (error) {
    throw new HearthError('TraceInvalid', `${file}:${line}: is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  throw invalid(file, line, 'is no JSON object');
}

function checkHeader(fields: Fields, file: string): void {
  const version = fields[INVOCATION_TRACE.key];
  if (version === INVOCATION_TRACE.version) return;
  if (version === undefined) throw invalid(file, 1, `is no header {"${INVOCATION_TRACE.key}":${INVOCATION_TRACE.version}}`);
  throw invalid(
    file,
    1,
    `is version ${shown(JSON.stringify(version))} of the format; this Hearth reads version ${INVOCATION_TRACE.version}`,
  );
}

function take(fields: Fields, line: number, reading: Reading): void {
  const { file, records } = reading;
  if (reading.ended !== undefined) throw invalid(file, line, 'something follows the last line, {"end":true}');
  if (fields['end'] === true) {
    const { invocations } = fields;
    if (typeof invocations !== 'number') throw invalid(file, line, '"invocations" is no number');
    reading.ended = invocations;
    reading.limited = fields['limited'] === true;
    return;
  }
  const functionName = fields['function'];
  if (typeof functionName !== 'string' || functionName === '' || functionName.length > TRACE_LIMITS.nameCharacters)
    throw invalid(
      file,
      line,
      `"function" is ${shown(JSON.stringify(functionName) ?? 'missing')}: it must be a text of at most ${TRACE_LIMITS.nameCharacters} characters`,
    );
  // What is recorded of it does not go back to where the others do.
  if (fields['cut'] === true) return void reading.cut++;
  if (reading.arrivals >= TRACE_LIMITS.arrivals) throw tooLarge(file, 'invocations with their exact times', TRACE_LIMITS.arrivals);
  let record = records.get(functionName);
  if (!record) {
    if (records.size >= TRACE_LIMITS.functions) throw tooLarge(file, 'functions', TRACE_LIMITS.functions);
    record = new FunctionRecord(functionName);
    records.set(functionName, record);
  }
  record.add(fields, { file, line });
  reading.arrivals++;
}

function finish({ file, records, cut, limited }: Reading, name: string): ReadTrace {
  let firstMs = Infinity;
  let lastMs = 0;
  for (const record of records.values()) {
    record.sort();
    firstMs = Math.min(firstMs, record.firstMs);
    lastMs = Math.max(lastMs, record.lastMs);
  }
  // Minutes are those of the clock, as functions that are called on the minute are.
  const startMs = Math.floor(firstMs / MINUTE_MS) * MINUTE_MS;
  const minutes = Math.floor((lastMs - startMs) / MINUTE_MS) + 1;
  if (minutes > TRACE_LIMITS.minutes) throw tooLarge(file, 'minutes', TRACE_LIMITS.minutes);
  const functions = [...records.values()].map((record) => record.finish(startMs));
  const logs = cut === 1 ? '1 function' : `${cut} functions`;
  const warnings = [
    ...(cut === 0 ? [] : [`the log of ${logs} was full: earlier invocations are missing. A later --since compares like with like`]),
    ...(limited ? ['the export ended at its limit: some functions, or the ends of their records, are missing'] : []),
  ];
  return { trace: { name, minutes, functions }, warnings, format: 'hearth' };
}
