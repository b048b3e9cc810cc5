/**
 * Traces in the columns of Azure Functions' published ones: invocations per minute, durations, memory, each a CSV file, joined by the hashes
 * of owner, application and function. Columns are known by their names. Several files of invocations are days that follow each other.
 */
import type { Trigger } from '../../policy/mod.ts';
import { HearthError } from '../../kernel/mod.ts';
import type { Trace, TraceFunction } from '../trace.ts';
import { cellsOf, csvRecords, invalid } from './csv.ts';
import { durationsOf, memoryOf } from './azure-figures.ts';
import type { Durations, Memory } from './azure-figures.ts';
import { columnsOf, identityOf, keyOf } from './columns.ts';
import type { Columns } from './columns.ts';
import { readCounts } from './counts.ts';
import type { Counts } from './counts.ts';
import { DEFAULTS, MISSING, triggerOf } from './defaults.ts';
import { TRACE_LIMITS, tooLarge } from './source.ts';
import type { TraceSource } from './source.ts';
import type { ReadTrace } from './read-trace.ts';

type Table = { readonly kind: 'invocations' | 'durations' | 'memory'; readonly source: TraceSource };

export async function readAzure(sources: readonly TraceSource[], name: string): Promise<ReadTrace> {
  const tables: Table[] = [];
  for (const source of sources) tables.push({ kind: kindOf(await headerOf(source), source.name), source });
  const of = (kind: Table['kind']) => tables.filter((table) => table.kind === kind).map((table) => table.source);
  const days = of('invocations');
  if (days.length === 0)
    throw new HearthError('TraceInvalid', `${name}: none of the files has invocations: the columns HashFunction, Trigger and minutes`);
  const building = new Building();
  for (const day of days) await readInvocations(day, building);
  const durations = new Map<string, Durations>();
  for (const source of of('durations')) await eachRow(source, (cells, row) => durationsOf(cells, row, durations));
  const memory = new Map<string, Memory>();
  for (const source of of('memory')) await eachRow(source, (cells, row) => memoryOf(cells, row, memory));
  return building.finish(name, durations, memory);
}

export type Row = { readonly columns: Columns; readonly file: string; readonly line: number };

async function eachRow(source: TraceSource, take: (cells: readonly string[], row: Row) => void): Promise<void> {
  let columns: Columns | undefined;
  for await (const records of csvRecords(source.open(), source.name)) {
    for (const record of records) {
      const cells = cellsOf(record, source.name);
      if (!columns) columns = columnsOf(cells, source.name);
      else {
        mustMatch(cells.length, columns, source.name, record.line);
        take(cells, { columns, file: source.name, line: record.line });
      }
    }
  }
}

function mustMatch(count: number, columns: Columns, file: string, line: number): void {
  if (count !== columns.count) throw invalid(file, line, `the row has ${count} columns, the first line ${columns.count}`);
}

async function headerOf(source: TraceSource): Promise<Columns> {
  for await (const records of csvRecords(source.open(), source.name))
    if (records[0]) return columnsOf(cellsOf(records[0], source.name), source.name);
  throw new HearthError('TraceInvalid', `${source.name}: is empty`);
}

function kindOf(columns: Columns, file: string): Table['kind'] {
  const has = (...names: readonly string[]) => names.every((each) => columns.at.has(each));
  if (has('HashFunction', 'Trigger') && columns.minutes) return 'invocations';
  if (has('HashFunction', 'Average')) return 'durations';
  if (has('HashApp', 'AverageAllocatedMb')) return 'memory';
  throw new HearthError(
    'TraceInvalid',
    `${file}:1: is neither invocations (HashFunction, Trigger, and a column a minute), durations (HashFunction, Average) nor memory (HashApp, AverageAllocatedMb)`,
  );
}

async function readInvocations(source: TraceSource, building: Building): Promise<void> {
  let columns: Columns | undefined;
  const firstMinute = building.minutes;
  for await (const records of csvRecords(source.open(), source.name)) {
    for (const record of records) {
      if (!columns) {
        columns = columnsOf(cellsOf(record, source.name), source.name);
        building.addMinutes(source.name, columns.minutes!.count);
        continue;
      }
      const { head, counts } = readCounts(record, { columns, file: source.name, firstMinute });
      building.add(head, counts, { columns, file: source.name, line: record.line });
    }
  }
}

type Seen = { readonly owner: string; readonly app: string; readonly fn: string; readonly trigger: Trigger; counts: Counts };

/** The functions as far as they have been read. */
class Building {
  minutes = 0;
  readonly #functions = new Map<string, Seen>();
  readonly #perApp = new Map<string, number>();
  #activeMinutes = 0;
  #merged = 0;
  #unknownTriggers = 0;

  addMinutes(file: string, count: number): void {
    this.minutes += count;
    if (this.minutes > TRACE_LIMITS.minutes) throw tooLarge(file, 'minutes', TRACE_LIMITS.minutes);
  }

  add(cells: readonly string[], counts: Counts, row: Row): void {
    const { owner, app, fn } = identityOf(cells, row);
    const key = keyOf(owner, app, fn);
    this.#activeMinutes += counts.length;
    if (this.#activeMinutes > TRACE_LIMITS.activeMinutes) throw tooLarge(row.file, 'minutes with calls', TRACE_LIMITS.activeMinutes);
    const known = this.#functions.get(key);
    if (known) {
      // The next day, or a function that has two triggers.
      const follows = known.counts.length === 0 || counts.length === 0 || known.counts.at(-1)![0] < counts[0]![0];
      if (!follows) this.#merged++;
      known.counts = follows ? known.counts.concat(counts) : added(known.counts, counts);
      return;
    }
    if (this.#functions.size >= TRACE_LIMITS.functions) throw tooLarge(row.file, 'functions', TRACE_LIMITS.functions);
    const trigger = triggerOf(cells[row.columns.at.get('Trigger')!]!);
    if (!trigger) this.#unknownTriggers++;
    this.#functions.set(key, { owner, app, fn, trigger: trigger ?? 'others', counts });
    const appKey = keyOf(owner, app, '');
    this.#perApp.set(appKey, (this.#perApp.get(appKey) ?? 0) + 1);
  }

  finish(name: string, durations: ReadonlyMap<string, Durations>, memory: ReadonlyMap<string, Memory>): ReadTrace {
    const ids = new Map<string, number>();
    for (const { fn } of this.#functions.values()) ids.set(fn, (ids.get(fn) ?? 0) + 1);
    let withoutDuration = 0;
    let withoutMemory = 0;
    const functions: TraceFunction[] = [];
    for (const [key, { owner, app, fn, trigger, counts }] of this.#functions) {
      if (counts.length === 0) continue;
      const duration = durations.get(key);
      const appKey = keyOf(owner, app, '');
      // Azure measures the memory of applications; their functions share it.
      const memoryMiB = memory.get(key)?.averageMiB ?? shared(memory.get(appKey), this.#perApp.get(appKey)!);
      if (!duration) withoutDuration++;
      if (memoryMiB === undefined) withoutMemory++;
      functions.push({
        id: ids.get(fn) === 1 ? fn : key,
        app,
        ...(owner !== '' && { owner }),
        trigger,
        durationMs: duration ? duration.durationMs : { average: DEFAULTS.durationMs },
        memoryMiB: memoryMiB ?? DEFAULTS.memoryMiB,
        counts,
      });
    }
    const trace: Trace = { name, minutes: this.minutes, functions };
    const warnings = [
      ...MISSING.durations(withoutDuration),
      ...MISSING.memory(withoutMemory),
      ...MISSING.triggers(this.#unknownTriggers),
      ...MISSING.calls(this.#functions.size - functions.length),
      ...(this.#merged === 0 ? [] : [`${this.#merged} rows were added to other rows of the same functions`]),
    ];
    return { trace, warnings, format: 'azure' };
  }
}

function shared(memory: Memory | undefined, functions: number): number | undefined {
  return memory && memory.averageMiB / functions;
}

function added(a: Counts, b: Counts): Counts {
  const calls = new Map<number, number>();
  for (const [minute, count] of [...a, ...b]) calls.set(minute, (calls.get(minute) ?? 0) + count);
  return [...calls].toSorted(([one], [other]) => one - other);
}
