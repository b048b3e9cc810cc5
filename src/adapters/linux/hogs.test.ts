import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOBODY, isHog, isScarce, whoYields } from './hogs.ts';
import type { Period, Yielding } from './hogs.ts';

const BUSY = { ms: 50, processors: 2, idleMs: 0 };
const YIELDING = { all: true, each: true, restMs: 0 };

const decide = (period: Period, { before, ...hogs }: { ranMs: number; weights: readonly number[]; before: Yielding }) =>
  whoYields(period, hogs, before);

test('what has computed for a moment only is no hog', () => {
  assert.deepEqual([0, 9, 10, 500].map(isHog), [false, false, true, true]);
});

test('processors are scarce where hardly any of their time is left', () => {
  assert.deepEqual(
    [0, 20, 50, 100].map((idleMs) => isScarce({ ...BUSY, idleMs })),
    [true, true, false, false],
  );
});

test('nobody yields where there is no hog', () => {
  assert.deepEqual(decide(BUSY, { ranMs: 0, weights: [], before: YIELDING }), NOBODY);
});

test('hogs of one weight yield to the functions beside them, and all functions to the host where hogs have most of the machine', () => {
  const look = (ranMs: number) => decide(BUSY, { ranMs, weights: [72, 72], before: NOBODY });
  assert.deepEqual([look(90), look(40)], [YIELDING, { ...YIELDING, all: false }]);
});

test('hogs of different weights keep their shares of the processors', () => {
  assert.deepEqual(decide(BUSY, { ranMs: 90, weights: [72, 145], before: NOBODY }), { ...YIELDING, each: false });
});

test('hogs that others leave nothing have their turn in every other period', () => {
  let before = NOBODY;
  const turns = Array.from({ length: 4 }, () => (before = decide(BUSY, { ranMs: before.each ? 1 : 40, weights: [72], before })));
  assert.deepEqual(
    turns.map(({ each }) => each),
    [true, false, true, false],
  );
});

test('when somebody else has come to the machine, functions do not yield to it for a while', () => {
  let before = YIELDING;
  const looks = [10, 90, 90].map((ranMs) => (before = decide(BUSY, { ranMs, weights: [72], before })).all);
  for (let i = 0; i < 20; i++) before = decide(BUSY, { ranMs: 90, weights: [72], before });
  assert.deepEqual([...looks, before.all], [false, false, false, true]);
});

test('hogs that use little, and could use more, have nobody who takes it from them', () => {
  assert.deepEqual(decide({ ...BUSY, idleMs: 60 }, { ranMs: 5, weights: [72], before: YIELDING }), YIELDING);
});
