import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesText, parseSince, tableText } from './text.ts';

test('sizes are written in the unit that suits them', () => {
  assert.deepEqual([0, 1023, 1024, 1_500_000].map(bytesText), ['0 B', '1023 B', '1.0 KiB', '1.4 MiB']);
});

test('a table is as wide as its widest cells, without spaces at the ends of lines', () => {
  const text = tableText(
    ['NAME', 'STATE'],
    [
      ['hello', 'Active'],
      ['a', ''],
    ],
    (head) => head.toLowerCase(),
  );
  assert.equal(text, 'name   state\nhello  Active\na');
});

test('a time is a span before now or a point in ISO 8601, and nothing else', () => {
  assert.equal(parseSince('10m', 1_000_000), 400_000);
  assert.equal(parseSince('1d', 86_400_001), 1);
  assert.equal(parseSince('2026-01-31T12:00:00Z', 0), 1_769_860_800_000);
  assert.deepEqual(
    ['', '10', 'm', '10y', 'yesterday', '-1s'].map((text) => parseSince(text, 0)),
    Array.from({ length: 6 }, () => undefined),
  );
});
