import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { activeMinutes, evictedFirst, retention } from './mod.ts';
import type { Evictable } from './eviction.ts';

const MINUTE = 60_000;
const number = (max: number) => fc.double({ min: 0, max, noNaN: true });
const held: fc.Arbitrary<Evictable> = fc.record({
  memoryMiB: number(10_240),
  savedMs: number(60_000),
  lastUsedMs: fc.nat(20),
  activeMinutes: number(1_440),
  inflation: number(1_000),
});
const order = fc.constantFrom('lru', 'greedy-dual', 'value');

test('whoever goes first has the least score, and of equals the oldest use', () => {
  fc.assert(
    fc.property(order, fc.array(held), (order, all) => {
      const first = evictedFirst(order, all);
      if (first === undefined) return assert.equal(all.length, 0);
      for (const other of all) {
        const less: number = retention(order, other) - retention(order, first);
        assert.ok(less > 0 || (less === 0 && first.lastUsedMs <= other.lastUsedMs));
      }
    }),
  );
});

test('more start time saved, more calls and less memory keep something longer', () => {
  fc.assert(
    fc.property(held, fc.constantFrom('greedy-dual' as const, 'value' as const), (one, order) => {
      const score = retention(order, one);
      assert.ok(retention(order, { ...one, savedMs: one.savedMs * 2 }) >= score);
      assert.ok(retention(order, { ...one, activeMinutes: one.activeMinutes + 1 }) >= score);
      assert.ok(retention(order, { ...one, memoryMiB: one.memoryMiB * 2 }) <= score);
    }),
  );
});

test('calls of one minute count once, and those of a day ago half', () => {
  assert.equal(activeMinutes(1, 0, MINUTE - 1).toFixed(3), '1.000');
  assert.equal(activeMinutes(1, 0, MINUTE).toFixed(2), '2.00');
  assert.equal(activeMinutes(4, 0, 24 * 60 * MINUTE), 3);
});
