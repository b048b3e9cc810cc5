import assert from 'node:assert/strict';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readTrace } from './read-trace.ts';
import type { TraceSource } from './source.ts';

const FOLDER = join(import.meta.dirname, '../../../../shared/traces/azure2019_500fn_8h');
const file = (name: string): TraceSource => ({ name, open: () => createReadStream(join(FOLDER, name)) });
const skip = !existsSync(FOLDER) && 'the trace is not beside the project';

test('the three files and the compact form of a real trace say the same', { skip }, async () => {
  const csv = await readTrace(['durations.csv', 'invocations.csv', 'memory.csv'].map(file), { name: 'x' });
  const compact = await readTrace([file('compact.json')], { name: 'x' });
  assert.deepEqual([csv.format, compact.format], ['azure', 'compact']);
  assert.deepEqual([csv.warnings, compact.warnings], [[], []]);
  assert.deepEqual([csv.trace.minutes, csv.trace.functions.length], [480, 500]);
  // The compact form has the beginnings of hashes, and rounds memory.
  const known = new Map(compact.trace.functions.map((one) => [one.id, one]));
  for (const { id, app, owner, memoryMiB, ...rest } of csv.trace.functions) {
    const { id: _, app: shortApp, owner: shortOwner, memoryMiB: rounded, ...other } = known.get(id.slice(0, 12))!;
    assert.deepEqual(rest, other);
    assert.deepEqual([app.slice(0, 12), owner!.slice(0, 12)], [shortApp, shortOwner]);
    assert.ok(Math.abs(memoryMiB - rounded) <= 0.06, `${memoryMiB} ${rounded}`);
  }
  const calls = csv.trace.functions.reduce((sum, { counts }) => sum + counts.reduce((some, [, count]) => some + count, 0), 0);
  assert.equal(calls, 3_037_902);
});
