import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compared, median, percentile, reached } from './row.ts';
import type { Finding, Target } from './row.ts';
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

test('as JSON, a run has the machine, the findings with their verdicts, and the rows that failed', () => {
  const json = toJson([finding(12, { of: 'ratio', bound: 'atMost', limit: 1.5 }, 10)], [{ row: 'another', message: 'why' }], true);
  assert.equal(json.rows[0]?.reached, true);
  assert.equal(json.rows[0]?.compared, 1.2);
  assert.deepEqual(json.failures, [{ row: 'another', message: 'why' }]);
  assert.ok(json.machine.cores > 0);
});
