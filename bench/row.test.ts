import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compared, median, percentile, reached } from './row.ts';
import type { Finding, Target } from './row.ts';
import { medians } from './steps.ts';
import { toJson, toTable } from './table.ts';

const finding = (hearth: number, target: Target, peer?: number): Finding => ({
  row: 'a row',
  unit: 'ms',
  hearth,
  ...(peer !== undefined && { peer: { name: 'a peer', value: peer } }),
  target,
  samples: 3,
});

test('the median is the middle one, or the mean of the two in the middle', () => {
  assert.equal(median([3, 100, 1]), 3);
  assert.equal(median([4, 1, 2, 100]), 3);
  assert.throws(() => median([]), /nothing was measured/);
});

test('a percentile is a value that was measured, which so many of a hundred do not exceed', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  assert.equal(percentile(values, 99), 198);
  assert.equal(percentile([7], 99), 7);
  assert.equal(percentile([1, 2], 50), 1);
  assert.throws(() => percentile([], 99), /nothing was measured/);
});

test('a finding is compared with its peer, or stands for itself', () => {
  assert.equal(compared(finding(10, { of: 'ratio', bound: 'atLeast', limit: 0.5 }, 20)), 0.5);
  assert.equal(compared(finding(10, { of: 'difference', bound: 'atMost', limit: 5 }, 20)), -10);
  assert.equal(compared(finding(10, { of: 'value', bound: 'atMost', limit: 5 })), 10);
});

test('a target is reached at its limit, and short beyond it', () => {
  assert.equal(reached(finding(10, { of: 'ratio', bound: 'atLeast', limit: 0.5 }, 20)), true);
  assert.equal(reached(finding(9, { of: 'ratio', bound: 'atLeast', limit: 0.5 }, 20)), false);
  assert.equal(reached(finding(5, { of: 'value', bound: 'atMost', limit: 5 })), true);
  assert.equal(reached(finding(5.1, { of: 'value', bound: 'atMost', limit: 5 })), false);
  assert.equal(reached(finding(Number.NaN, { of: 'value', bound: 'atMost', limit: 5 })), false);
});

test('the table says for every finding whether its target is reached', () => {
  const table = toTable([
    finding(12, { of: 'ratio', bound: 'atMost', limit: 1.5 }, 10),
    finding(190, { of: 'difference', bound: 'atMost', limit: 150 }, 10),
    finding(3, { of: 'value', bound: 'atMost', limit: 2.5 }),
  ]).split('\n');
  assert.match(table[1]!, /^a row +12\.00 ms +10\.00 ms \(a peer\) +1\.20 x +<= 1\.5 x +ok$/);
  assert.match(table[2]!, /190 ms +10\.00 ms \(a peer\) +\+180 ms +<= \+150 ms +short$/);
  assert.match(table[3]!, /3\.00 ms +<= 2\.5 ms +short$/);
});

test('of starts, the medians of their steps stand under the row, by kind, without what was done ahead', () => {
  const start = (kind: string, ...times: readonly (readonly [string, number])[]) => ({
    kind,
    totalMs: times.at(-1)![1],
    steps: times.map(([name, atMs]) => ({ name, atMs })),
  });
  const starts = medians([
    start('fork', ['arrived', 0], ['decided', 1], ['ended', 4]),
    start('boot', ['arrived', 0], ['ended', 9]),
    { ...start('fork', ['fork ordered', -5], ['arrived', 0], ['ended', 2]), from: 'spare' },
    start('fork', ['arrived', 0], ['decided', 3], ['forked', 5], ['ended', 8]),
  ]);
  assert.deepEqual(
    starts.map(({ kind, samples, totalMs }) => [kind, samples, totalMs]),
    [
      ['fork', 2, 6],
      ['boot', 1, 9],
      ['fork, had a spare', 1, 2],
    ],
  );
  assert.deepEqual(starts[0]!.steps, [
    { name: 'arrived', atMs: 0, tookMs: 0 },
    { name: 'decided', atMs: 2, tookMs: 2 },
    { name: 'ended', atMs: 6, tookMs: 3 },
  ]);
  const lines = toTable([{ ...finding(1, { of: 'value', bound: 'atMost', limit: 2 }), starts }]).split('\n');
  assert.deepEqual(lines.slice(2, 6), [
    '  fork, 2 of them, 6.00 ms in the engine:',
    '    arrived     0.00 ms',
    '    decided     2.00 ms  +2.00',
    '    ended       6.00 ms  +3.00',
  ]);
  assert.equal(lines.at(-1), '    ended       2.00 ms  +2.00');
});

test('as JSON, a run has the machine, the findings with their verdicts, and the rows that failed', () => {
  const json = toJson([finding(12, { of: 'ratio', bound: 'atMost', limit: 1.5 }, 10)], [{ row: 'another', message: 'why' }], true);
  assert.equal(json.rows[0]?.reached, true);
  assert.equal(json.rows[0]?.compared, 1.2);
  assert.deepEqual(json.failures, [{ row: 'another', message: 'why' }]);
  assert.ok(json.machine.cores > 0);
});
