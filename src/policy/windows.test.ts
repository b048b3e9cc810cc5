import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EMPTY_MEAN, maxOf, meanOf, recordMax, recordMean } from './mod.ts';
import type { MaxWindow, MeanWindow } from './mod.ts';

/** Values at steps that never go back, and gaps among them. */
const series = fc.array(fc.tuple(fc.nat(4), fc.nat(20)), { minLength: 1, maxLength: 60 }).map((pairs) =>
  pairs.map(
    (
      (step = 100) =>
      ([gap, value]) => ({ step: (step += gap), value })
    )(),
  ),
);
const sizes = fc.integer({ min: 1, max: 12 });

type Value = { readonly step: number; readonly value: number };
const within = (values: readonly Value[], size: number, step: number) => values.filter((each) => each.step > step - size);

test('the maximum of a window is that of its values, and no more is kept than it has steps', () => {
  fc.assert(
    fc.property(series, sizes, (values, size) => {
      let window: MaxWindow = [];
      for (const [index, { step, value }] of values.entries()) {
        window = recordMax(window, size, step, value);
        assert.equal(maxOf(window), Math.max(...within(values.slice(0, index + 1), size, step).map((each) => each.value)));
        assert.ok(window.length <= size);
      }
    }),
  );
});

test('the maximum of nothing is zero', () => {
  assert.equal(maxOf([]), 0);
});

test('the mean of a window is that of its steps, of which those without a value count as zero', () => {
  fc.assert(
    fc.property(series, sizes, (values, size) => {
      let window: MeanWindow = EMPTY_MEAN;
      for (const [index, { step, value }] of values.entries()) {
        window = recordMean(window, size, step, value);
        const bySteps = Map.groupBy(within(values.slice(0, index + 1), size, step), (each) => each.step);
        const means = [...bySteps.values()].map((each) => each.reduce((sum, { value: one }) => sum + one, 0) / each.length);
        const expected = means.reduce((sum, mean) => sum + mean, 0) / Math.min(size, step - values[0]!.step + 1);
        assert.ok(Math.abs(meanOf(window, size, step)! - expected) < 1e-9);
        assert.ok(window.buckets.length <= size);
      }
    }),
  );
});

test('a shorter window within is the mean of the latest steps', () => {
  const window = [4, 4, 10, 20].reduce((before, value, step) => recordMean(before, 4, step, value), EMPTY_MEAN);
  assert.equal(meanOf(window, 4, 3), 9.5);
  assert.equal(meanOf(window, 2, 3), 15);
});

test('what has left the window counts no more, and an empty one has no mean', () => {
  const window = recordMean(EMPTY_MEAN, 3, 7, 9);
  assert.equal(meanOf(window, 3, 7), 9);
  assert.equal(meanOf(window, 3, 9), 3);
  assert.equal(meanOf(window, 3, 10), undefined);
  assert.equal(meanOf(EMPTY_MEAN, 3, 0), undefined);
});
