import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read } from './formats.testing.ts';

const MINUTE_MS = 60_000;
const START_MS = 29_000_000 * MINUTE_MS;
const HEADER = { hearthTrace: 1, exportedMs: START_MS };
const call = (atMs: number, more: object = {}) => ({
  ...{ function: 'f', version: '1', atMs: START_MS + atMs, waitMs: 0.1, durationMs: 10 },
  ...{ start: 'warm', cause: 'idle', memoryMiB: 128, usedMiB: 40, trigger: 'http', ...more },
});
const lines = (...values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');
const end = (invocations: number) => ({ end: true, invocations });

test('invocations keep their exact times, in order, and say what starts cost and what is used', async () => {
  const text = lines(
    HEADER,
    call(3 * MINUTE_MS + 5, { durationMs: 30 }),
    call(1_500, { start: 'boot', cause: 'first call', waitMs: 200, initMs: 150, durationMs: 20 }),
    call(1_600, { usedMiB: 55 }),
    call(MINUTE_MS, { function: 'g', trigger: 'invoke', usedMiB: 0, start: 'fork', waitMs: 3 }),
    end(4),
  );
  const { trace, warnings, format } = await read({ 't.jsonl': text });
  assert.deepEqual([format, warnings, trace.minutes], ['hearth', [], 4]);
  assert.deepEqual(trace.functions, [
    {
      ...{ id: 'f', app: 'f', trigger: 'http', durationMs: { average: 20, p50: 20, p99: 30, max: 30 }, memoryMiB: 55, initMs: 200 },
      ...{
        counts: [
          [0, 2],
          [3, 1],
        ],
        arrivalsMs: Float64Array.of(1_500, 1_600, 3 * MINUTE_MS + 5),
      },
    },
    {
      ...{ id: 'g', app: 'g', trigger: 'others', durationMs: { average: 10, p50: 10, p99: 10, max: 10 }, memoryMiB: 128 },
      ...{ counts: [[1, 1]], arrivalsMs: Float64Array.of(MINUTE_MS) },
    },
  ]);
});

test('a function whose log was full is told of', async () => {
  const { warnings } = await read({ 't.jsonl': lines(HEADER, { function: 'f', cut: true }, call(0), end(1)) });
  assert.match(warnings.join(), /^the log of 1 function was full/);
});

test('what broke off, has another version, or is not as it must be is refused with its line', async () => {
  const refused = (message: RegExp, ...values: readonly object[]) =>
    assert.rejects(read({ 't.jsonl': lines(...values) }), { code: 'TraceInvalid', message });
  await refused(/breaks off after line 2/, HEADER, call(0));
  await refused(/holds 1 invocations, but its last line says 2/, HEADER, call(0), end(2));
  await refused(/holds no invocations/, HEADER, end(0));
  await refused(/something follows the last line/, HEADER, call(0), end(1), call(1));
  await refused(/^t\.jsonl:1: is version 2 of the format/, { hearthTrace: 2 }, end(0));
  await refused(/^t\.jsonl:2: "function" is missing/, HEADER, call(0, { function: undefined }));
  await refused(/^t\.jsonl:2: "atMs" is "now"/, HEADER, call(0, { atMs: 'now' }));
  await refused(/^t\.jsonl:2: "durationMs" is missing/, HEADER, call(0, { durationMs: undefined }));
  await refused(/^t\.jsonl:2: "waitMs" is -1/, HEADER, call(0, { waitMs: -1 }));
  await assert.rejects(read({ 't.jsonl': `${lines(HEADER)}{"func\n` }), { message: /^t\.jsonl:2: is not JSON/ });
  await assert.rejects(read({ 't.jsonl': lines(call(0)) }, { format: 'hearth' }), { message: /^t\.jsonl:1: is no header/ });
  await assert.rejects(read({ 't.jsonl': lines(HEADER, call(0), call(90_000 * MINUTE_MS), end(2)) }), { code: 'TraceTooLarge' });
});
