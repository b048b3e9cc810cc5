import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BINS, beginsMs, binOf, EDGES, MINUTE_MS, SHORT, WIDTHS } from './bins.ts';
import { Gaps, REMEMBERED } from './gaps.ts';

const bins = fc.integer({ min: SHORT, max: BINS });
const histories = fc.array(fc.tuple(bins, fc.boolean()), { maxLength: 2 * REMEMBERED });
const gapsOf = (history: readonly (readonly [number, boolean])[]) => {
  const gaps = new Gaps();
  for (const [bin, censored] of history) gaps.add(bin, censored);
  return gaps;
};
const refined = (gaps: Gaps, chance = 0.1) => {
  const chances = new Float64Array(BINS).fill(chance);
  gaps.refine(chances);
  return chances;
};
/** The bin in which the next call most probably comes. */
const likeliest = (chances: Float64Array) => {
  let none = 1;
  const masses = chances.map((chance) => {
    const mass = none * chance;
    none -= mass;
    return mass;
  });
  return masses.indexOf(Math.max(...masses));
};

test('a gap is in the one bin that holds it, and a second early or late makes no difference to whole minutes', () => {
  const gap = fc.double({ min: 0, max: 2 * EDGES[BINS]! * MINUTE_MS, noNaN: true });
  fc.assert(
    fc.property(gap, (gapMs) => {
      const bin = binOf(gapMs);
      if (bin < BINS) assert.ok(beginsMs(bin) <= gapMs && gapMs < beginsMs(bin + 1), `${gapMs} in ${bin}`);
      else assert.ok(gapMs >= beginsMs(BINS));
    }),
  );
  for (let minute = 1; minute < 49; minute++) {
    for (const aside of [-1_000, 0, 1_000]) assert.equal(binOf(minute * MINUTE_MS + aside), minute);
  }
  assert.ok(BINS < 0x80);
  assert.ok(WIDTHS.every((width) => width > 0));
});

test('chances stay chances, whatever the gaps were', () => {
  fc.assert(
    fc.property(histories, fc.double({ min: 0, max: 1, noNaN: true }), (history, chance) => {
      for (const value of refined(gapsOf(history), chance)) assert.ok(value >= 0 && value <= 1);
    }),
    { numRuns: 200 },
  );
});

test('without gaps of its own a function has the chances of all', () => {
  assert.deepEqual(refined(new Gaps()), new Float64Array(BINS).fill(0.1));
});

test('the more often a gap repeats, the surer it is', () => {
  const after = (times: number) => refined(gapsOf(Array.from({ length: times }, () => [5, false] as const)))[5]!;
  assert.ok(after(1) > 0.1 && after(3) > after(1) && after(50) > after(3) && after(50) > 0.9);
});

test('what follows a gap like the last, and like the last two, is told apart', () => {
  const turns = Array.from({ length: 60 }, (_, i) => [[2, 28, 30][i % 3]!, false] as const);
  const next = (last: number) => likeliest(refined(gapsOf(turns.slice(0, 57 + last)), 0.01));
  assert.deepEqual([next(0), next(1), next(2)], [2, 28, 30]);
  // A gap of 10 is followed by 3 after a 5, and by 7 after a 6.
  const pairs = Array.from({ length: 160 }, (_, i) => [[5, 10, 3, 6, 10, 7][i % 6]!, false] as const);
  assert.deepEqual(
    [152, 155].map((end) => likeliest(refined(gapsOf(pairs.slice(0, end)), 0.01))),
    [3, 7],
  );
});

test('a gap that a schedule ended says only that no other call came before', () => {
  const censored = refined(gapsOf(Array.from({ length: 50 }, () => [10, true] as const)));
  assert.ok(censored[5]! < 0.02 && censored[10]! < 0.02);
  assert.equal(censored[11], 0.1);
});

test('only the last gaps count, and short ones push out nothing', () => {
  const changed = gapsOf([
    ...Array.from({ length: 600 }, () => [5, false] as const),
    ...Array.from({ length: 600 }, () => [7, false] as const),
  ]);
  assert.equal(changed.size, REMEMBERED);
  assert.ok(refined(changed)[7]! > 0.9 && refined(changed)[5]! < 0.01);
  for (let i = 0; i < 5_000; i++) changed.add(SHORT, false);
  assert.equal(changed.at(0), 7);
  assert.ok(refined(changed)[SHORT]! > 0.9);
});

test('saved gaps read back decide alike', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const gaps = gapsOf(history);
      const view = new DataView(new ArrayBuffer(5 + Gaps.MOST_BYTES));
      const end = gaps.write(view, 5);
      const read = Gaps.read(new DataView(view.buffer, 0, end), 5)!;
      assert.deepEqual([read.size, read.at(0), read.at(1)], [gaps.size, gaps.at(0), gaps.at(1)]);
      const [ours, theirs] = [refined(gaps), refined(read)];
      ours.forEach((chance, bin) => assert.ok(Math.abs(chance - theirs[bin]!) < 1e-6));
    }),
    { numRuns: 100 },
  );
});

test('bytes that are no saved gaps are refused', () => {
  const written = (change: (view: DataView) => number) => {
    const view = new DataView(new ArrayBuffer(Gaps.MOST_BYTES));
    const end = gapsOf([[5, false]]).write(view, 0);
    return Gaps.read(new DataView(view.buffer, 0, Math.min(end, change(view))), 0);
  };
  assert.ok(written(() => Infinity));
  const refused = [
    (_: DataView) => 4,
    (_: DataView) => 10,
    (view: DataView) => (view.setFloat32(0, NaN), Infinity),
    (view: DataView) => (view.setFloat32(4, -1), Infinity),
    (view: DataView) => (view.setFloat32(4, 9_999), Infinity),
    (view: DataView) => (view.setUint16(8, 9_999), Infinity),
    (view: DataView) => (view.setUint8(10, SHORT), Infinity),
    (view: DataView) => (view.setUint8(10, BINS + 1), Infinity),
  ];
  for (const change of refused) assert.equal(written(change), undefined);
});
