import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bootRetryDelayMs, leastRecentlyUsed } from './mod.ts';

test('what has rested longest goes first, and nothing that is in use', () => {
  const candidates = fc.array(fc.record({ restingSinceMs: fc.option(fc.double({ noNaN: true, min: 0, max: 1e9 }), { nil: undefined }) }));
  fc.assert(
    fc.property(candidates, (all) => {
      const chosen = leastRecentlyUsed(all);
      const resting = all.filter((candidate) => candidate.restingSinceMs !== undefined);
      if (resting.length === 0) assert.equal(chosen, undefined);
      else assert.equal(chosen, resting.toSorted((a, b) => a.restingSinceMs! - b.restingSinceMs!)[0]);
    }),
  );
});

test('boots are tried again after a delay that doubles up to 10 s', () => {
  assert.deepEqual([0, 1, 2, 3, 7, 8, 50].map(bootRetryDelayMs), [0, 100, 200, 400, 6_400, 10_000, 10_000]);
  fc.assert(fc.property(fc.nat(), (failures) => bootRetryDelayMs(failures) <= bootRetryDelayMs(failures + 1)));
});
