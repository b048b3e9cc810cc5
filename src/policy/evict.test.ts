import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { agedMinutes, bootRetryDelayMs, CAPACITY_CLASSES, EVICTION_ORDERS, firstToGo, mayEvict, rankOf, retention } from './mod.ts';
import type { Candidate } from './mod.ts';

const amount = fc.double({ min: 0, max: 1e6, noNaN: true });
const candidates = fc.array(
  fc.record<Candidate>({
    class: fc.constantFrom(...CAPACITY_CLASSES),
    rung: fc.constantFrom('instance', 'template'),
    held: fc.boolean(),
    savedMs: amount,
    activeMinutes: amount,
    memoryMiB: amount,
    lastUsedMs: amount,
    inflation: amount,
  }),
);

const plain: Candidate = {
  class: 'standard',
  rung: 'template',
  held: false,
  savedMs: 100,
  activeMinutes: 1,
  memoryMiB: 10,
  lastUsedMs: 0,
  inflation: 0,
};

test('somebody goes wherever there is somebody, and never before a lower class or one that is not held', () => {
  fc.assert(
    fc.property(candidates, fc.constantFrom(...EVICTION_ORDERS), (all, order) => {
      const first = firstToGo(all, order);
      assert.equal(first === undefined, all.length === 0);
      if (!first) return;
      for (const other of all) {
        if (other.held !== first.held) assert.ok(other.held);
        else if (other.class !== first.class) assert.ok(rankOf(other.class) < rankOf(first.class));
        else if (retention(order, other) === retention(order, first)) assert.ok(other.lastUsedMs >= first.lastUsedMs);
        else assert.ok(retention(order, other) > retention(order, first));
      }
    }),
  );
});

test('a short start, seldom used and large goes before a long one, often used and small', () => {
  for (const better of [{ savedMs: 200 }, { activeMinutes: 2 }, { memoryMiB: 5 }]) {
    assert.equal(firstToGo([{ ...plain, ...better }, plain], 'value'), plain);
    assert.equal(firstToGo([{ ...plain, ...better, lastUsedMs: -1 }, plain], 'lru')!.lastUsedMs, -1);
  }
});

test('greedy-dual lets what was dear long ago fall behind what is cheap and new', () => {
  const dear = { ...plain, savedMs: 1_000 };
  const cheap = { ...plain, inflation: 500 };
  assert.equal(firstToGo([dear, cheap], 'greedy-dual'), dear);
  assert.equal(firstToGo([dear, cheap], 'value'), cheap);
});

test('spot takes nothing from reserved, and everybody else from all', () => {
  for (const needs of CAPACITY_CLASSES)
    for (const has of CAPACITY_CLASSES) assert.equal(mayEvict(needs, has), !(needs === 'spot' && has === 'reserved'));
});

test('minutes count half after a day', () => {
  assert.equal(agedMinutes(8, 0, 24 * 3_600_000), 4);
  assert.equal(agedMinutes(8, 5, 5), 8);
});

test('boots are tried again after a delay that doubles up to 10 s', () => {
  assert.deepEqual([0, 1, 2, 3, 7, 8, 50].map(bootRetryDelayMs), [0, 100, 200, 400, 6_400, 10_000, 10_000]);
  fc.assert(fc.property(fc.nat(), (failures) => bootRetryDelayMs(failures) <= bootRetryDelayMs(failures + 1)));
});
