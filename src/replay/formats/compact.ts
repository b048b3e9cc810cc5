/** The compact form: one JSON document, `{minutes, functions: [{id, app, trigger, avgMs, memMb, counts: [[minute, calls], ...]}, ...]}`. */
import { HearthError } from '../../kernel/mod.ts';
import { JSON_DEPTH, nestsTooDeep } from '../../protocol/mod.ts';
import type { TraceFunction, TraceSchedule } from '../trace.ts';
import { shown } from './columns.ts';
import type { Counts } from './counts.ts';
import { DEFAULTS, MISSING, triggerOf } from './defaults.ts';
import type { ReadTrace } from './read-trace.ts';
import { TRACE_LIMITS, tooLarge } from './source.ts';
import type { TraceSource } from './source.ts';

export async function readCompact(source: TraceSource, name: string): Promise<ReadTrace> {
  const file = source.name;
  const document = await parsed(source);
  const { minutes, functions } = document;
  if (!isWhole(minutes, 1)) throw wrong(file, 'minutes', minutes, 'a whole number above 0');
  if (minutes > TRACE_LIMITS.minutes) throw tooLarge(file, 'minutes', TRACE_LIMITS.minutes);
  if (!Array.isArray(functions)) throw wrong(file, 'functions', functions, 'an array');
  if (functions.length > TRACE_LIMITS.functions) throw tooLarge(file, 'functions', TRACE_LIMITS.functions);
  const reading: Reading = { file, minutes, activeMinutes: 0, withoutDuration: 0, withoutMemory: 0, unknownTriggers: 0, ids: new Set() };
  const read = functions.map((one: unknown, index) => functionOf(one, `functions[${index}]`, reading));
  const called = read.filter(({ counts }) => counts.length > 0);
  const warnings = [
    ...MISSING.durations(reading.withoutDuration),
    ...MISSING.memory(reading.withoutMemory),
    ...MISSING.triggers(reading.unknownTriggers),
    ...MISSING.calls(read.length - called.length),
  ];
  return { trace: { name, minutes, functions: called }, warnings, format: 'compact' };
}

type Reading = {
  readonly file: string;
  readonly minutes: number;
  activeMinutes: number;
  withoutDuration: number;
  withoutMemory: number;
  unknownTriggers: number;
  readonly ids: Set<string>;
};
type Fields = Readonly<Record<string, unknown>>;

async function parsed(source: TraceSource): Promise<Fields> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source.open()) {
    bytes += chunk.length;
    if (bytes > TRACE_LIMITS.documentBytes) throw tooLarge(source.name, 'bytes in this format', TRACE_LIMITS.documentBytes);
    chunks.push(chunk);
  }
  const all = Buffer.concat(chunks);
  if (nestsTooDeep(all)) throw new HearthError('TraceInvalid', `${source.name}: nests deeper than ${JSON_DEPTH}`);
  try {
    const document: unknown = JSON.parse(all.toString('utf8'));
    if (isObject(document)) return document;
  } catch (error) {
    throw new HearthError('TraceInvalid', `${source.name}: is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  throw new HearthError('TraceInvalid', `${source.name}: is no JSON object`);
}

function functionOf(value: unknown, at: string, reading: Reading): TraceFunction {
  const { file, ids } = reading;
  if (!isObject(value)) throw wrong(file, at, value, 'an object');
  const id = nameOf(value['id'], `${at}.id`, file);
  if (id === undefined) throw wrong(file, `${at}.id`, value['id'], 'a text');
  if (ids.has(id)) throw new HearthError('TraceInvalid', `${file}: ${at}.id: there is another function ${JSON.stringify(shown(id))}`);
  ids.add(id);
  const owner = nameOf(value['owner'], `${at}.owner`, file);
  const trigger = triggerOf(nameOf(value['trigger'], `${at}.trigger`, file) ?? '');
  if (!trigger) reading.unknownTriggers++;
  const number = (name: string, max: number) => numberOf(value[name], { at: `${at}.${name}`, file, max });
  const ms = (name: string) => number(name, TRACE_LIMITS.durationMs);
  const [average, p50, p99, max, initMs] = [ms('avgMs'), ms('p50Ms'), ms('p99Ms'), ms('maxMs'), ms('initMs')];
  const memoryMiB = number('memMb', TRACE_LIMITS.memoryMiB);
  if (average === undefined) reading.withoutDuration++;
  if (memoryMiB === undefined) reading.withoutMemory++;
  const schedule = scheduleOf(value['schedule'], `${at}.schedule`, file);
  return {
    id,
    app: nameOf(value['app'], `${at}.app`, file) ?? id,
    ...(owner !== undefined && { owner }),
    trigger: trigger ?? 'others',
    durationMs: {
      average: average ?? DEFAULTS.durationMs,
      ...(p50 !== undefined && { p50 }),
      ...(p99 !== undefined && { p99 }),
      ...(max !== undefined && { max }),
    },
    memoryMiB: memoryMiB ?? DEFAULTS.memoryMiB,
    ...(initMs !== undefined && { initMs }),
    counts: countsOf(value['counts'], `${at}.counts`, reading),
    ...(schedule && { schedule }),
  };
}

function countsOf(value: unknown, at: string, reading: Reading): Counts {
  const { file, minutes } = reading;
  if (!Array.isArray(value)) throw wrong(file, at, value, 'an array of [minute, calls]');
  reading.activeMinutes += value.length;
  if (reading.activeMinutes > TRACE_LIMITS.activeMinutes) throw tooLarge(file, 'minutes with calls', TRACE_LIMITS.activeMinutes);
  let last = -1;
  const counts: [number, number][] = [];
  for (const [index, pair] of value.entries()) {
    const [minute, calls] = Array.isArray(pair) && pair.length === 2 ? (pair as unknown[]) : [];
    if (!isWhole(minute, 0) || minute >= minutes || !isWhole(calls, 0) || calls > TRACE_LIMITS.callsPerMinute)
      throw wrong(file, `${at}[${index}]`, pair, `[minute below ${minutes}, calls]`);
    if (minute <= last)
      throw new HearthError('TraceInvalid', `${file}: ${at}[${index}]: minute ${minute} does not come after minute ${last}`);
    last = minute;
    if (calls > 0) counts.push([minute, calls]);
  }
  return counts;
}

function scheduleOf(value: unknown, at: string, file: string): TraceSchedule | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw wrong(file, at, value, 'an object');
  const ms = (name: string) => numberOf(value[name], { at: `${at}.${name}`, file, max: TRACE_LIMITS.minutes * 60_000 });
  const periodMs = ms('periodMs');
  if (periodMs === undefined || periodMs < 1) throw wrong(file, `${at}.periodMs`, value['periodMs'], 'a number of milliseconds');
  return { periodMs, phaseMs: ms('phaseMs') ?? 0, jitterMs: ms('jitterMs') ?? 0 };
}

function nameOf(value: unknown, at: string, file: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string' && value.length <= TRACE_LIMITS.nameCharacters) return value;
  throw wrong(file, at, value, `a text of at most ${TRACE_LIMITS.nameCharacters} characters`);
}

function numberOf(
  value: unknown,
  { at, file, max }: { readonly at: string; readonly file: string; readonly max: number },
): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value >= 0 && value <= max) return value;
  throw wrong(file, at, value, `a number from 0 to ${max}`);
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isWhole = (value: unknown, least: number): value is number => Number.isSafeInteger(value) && (value as number) >= least;

function wrong(file: string, at: string, value: unknown, what: string): HearthError {
  const is = value === undefined ? 'is missing' : `is ${shown(JSON.stringify(value))}`;
  return new HearthError('TraceInvalid', `${file}: ${at} ${is}: it must be ${what}`);
}
