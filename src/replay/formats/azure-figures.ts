import { invalid } from './csv.ts';
import { identityOf, keyOf, nameIn, numberIn } from './columns.ts';
import type { Row } from './azure.ts';
import type { TraceFunction } from '../trace.ts';
import { TRACE_LIMITS } from './source.ts';

/** `weight`: how many measurements it stands for. Of several rows of one function, as several days have them, the heaviest is taken. */
export type Durations = { readonly durationMs: TraceFunction['durationMs']; readonly weight: number };
export type Memory = { readonly averageMiB: number; readonly weight: number };

export function durationsOf(cells: readonly string[], row: Row, found: Map<string, Durations>): void {
  const { owner, app, fn } = identityOf(cells, row);
  const ms = (name: string) => numberIn(cells, name, { ...row, max: TRACE_LIMITS.durationMs });
  const average = ms('Average');
  if (average === undefined) throw empty('Average', row);
  const [p50, p99, max] = [ms('percentile_Average_50'), ms('percentile_Average_99'), ms('Maximum')];
  const durationMs = { average, ...(p50 !== undefined && { p50 }), ...(p99 !== undefined && { p99 }), ...(max !== undefined && { max }) };
  const weight = numberIn(cells, 'Count', { ...row, max: Number.MAX_SAFE_INTEGER }) ?? 1;
  keepHeavier(found, keyOf(owner, app, fn), { durationMs, weight });
}

/** Of an application; or of a function, where there is a column that says of which. */
export function memoryOf(cells: readonly string[], row: Row, found: Map<string, Memory>): void {
  const averageMiB = numberIn(cells, 'AverageAllocatedMb', { ...row, max: TRACE_LIMITS.memoryMiB });
  if (averageMiB === undefined) throw empty('AverageAllocatedMb', row);
  const weight = numberIn(cells, 'SampleCount', { ...row, max: Number.MAX_SAFE_INTEGER }) ?? 1;
  const app = nameIn(cells, 'HashApp', row);
  const fn = nameIn(cells, 'HashFunction', row);
  keepHeavier(found, keyOf(nameIn(cells, 'HashOwner', row), app === '' ? fn : app, fn), { averageMiB, weight });
}

function keepHeavier<T extends { readonly weight: number }>(found: Map<string, T>, key: string, one: T): void {
  const known = found.get(key);
  if (!known || known.weight < one.weight) found.set(key, one);
}

const empty = (name: string, { columns, file, line }: Row) =>
  invalid(file, line, `column ${columns.at.get(name)! + 1} (${name}): is empty`);
