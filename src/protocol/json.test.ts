import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JSON_DEPTH, nestsTooDeep } from './mod.ts';

const nested = (depth: number, open = '[', close = ']') => Buffer.from(open.repeat(depth) + close.repeat(depth));

test('nesting counts up to the limit, in arrays and objects', () => {
  assert.equal(nestsTooDeep(nested(JSON_DEPTH)), false);
  assert.equal(nestsTooDeep(nested(JSON_DEPTH + 1)), true);
  assert.equal(nestsTooDeep(nested(JSON_DEPTH / 2 + 1, '{"a":[', ']}')), true);
  assert.equal(nestsTooDeep(Buffer.from('['.repeat(4_000_000))), true);
  assert.equal(nestsTooDeep(Buffer.from(`[${'[],'.repeat(10_000)}[]]`)), false);
});

test('brackets in strings are none', () => {
  assert.equal(nestsTooDeep(Buffer.from(JSON.stringify({ a: '['.repeat(5_000), b: '\\"[['.repeat(5_000) }))), false);
  assert.equal(nestsTooDeep(Buffer.from(`"\\\\"${nested(JSON_DEPTH + 1).toString()}`)), true);
  assert.equal(nestsTooDeep(Buffer.from(`"${'['.repeat(5_000)}`)), false);
});

test('whatever nests a little passes', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 50 }), (json) => !nestsTooDeep(Buffer.from(json))));
});
