import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alongLine, placeLabels } from './labels.ts';
import { linearScale, logScale } from './scale.ts';
import { tradeOffSvg } from './trade-off.ts';

test('ticks are round, in order, and reach around all values', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), fc.integer({ min: 2, max: 10 }), (most, count) => {
      const { ticks, place } = linearScale(most, count);
      assert.equal(ticks[0], 0);
      assert.ok(ticks.at(-1)! >= most * (1 - 1e-9) && ticks.length <= count + 1);
      assert.ok(Math.abs(place(ticks.at(-1)!) - 1) < 1e-9);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 0, max: 1_000_000 }), (least, more) => {
      const { ticks, place } = logScale(least, least + more);
      assert.ok(ticks.length > 1 && ticks[0]! <= least && ticks.at(-1)! >= (least + more) * (1 - 1e-9));
      assert.deepEqual([place(ticks[0]!), place(ticks.at(-1)!)], [0, 1]);
    }),
  );
  assert.deepEqual(linearScale(1, 5).ticks, [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(linearScale(0, 2).ticks, [0, 0.5, 1]);
  assert.deepEqual(logScale(30, 900).ticks, [20, 50, 100, 200, 500, 1000]);
});

test('labels stay within, and off each other, the points and the lines', () => {
  const within = { x: 0, y: 0, width: 200, height: 100 };
  const points = fc.array(
    fc.record({ x: fc.integer({ min: 0, max: 200 }), y: fc.integer({ min: 0, max: 100 }), text: fc.constantFrom('10 min', '', 'x') }),
  );
  fc.assert(
    fc.property(points, (some) => {
      const line = alongLine(some);
      const labels = placeLabels(some, within, line);
      const boxes = labels.map(({ x, y, anchor, text }) => ({
        from: anchor === 'start' ? x : x - 6 * text.length,
        y,
        width: 6 * text.length,
      }));
      for (const [index, { from, y, width }] of boxes.entries()) {
        assert.ok(from >= 0 && from + width <= 200 && y <= 100);
        for (const other of boxes.slice(index + 1))
          assert.ok(from + width <= other.from || other.from + other.width <= from || Math.abs(y - other.y) >= 12);
        for (const point of some) assert.ok(!(point.x > from && point.x < from + width && point.y < y && point.y > y - 8));
      }
    }),
  );
});

const curves = [
  {
    name: 'hazard',
    points: [
      { label: '1', relativeMemory: 0.5, coldStarts: 900 },
      { label: '2', relativeMemory: 0.9, coldStarts: 20 },
    ],
  },
  { name: 'a <b> & "c"', points: [{ label: '', relativeMemory: 1.3, coldStarts: 300 }] },
];

test('the chart is the same text for the same results, well formed, with every point told in words', () => {
  const svg = tradeOffSvg({ title: 'T < 1', subtitle: 'about', curves });
  assert.equal(svg, tradeOffSvg({ title: 'T < 1', subtitle: 'about', curves }));
  assert.match(svg, /<title>hazard 1: 900 cold starts, memory 0\.50<\/title>/);
  assert.match(svg, /<title>a &lt;b&gt; &amp; "c": 300 cold starts, memory 1\.30<\/title>/);
  assert.match(svg, /prefers-color-scheme:dark/);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity|<script|href/);
  const tags = [...svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)];
  const open: string[] = [];
  for (const [, closing, name, empty] of tags) {
    if (closing) assert.equal(open.pop(), name);
    else if (!empty) open.push(name!);
  }
  assert.deepEqual(open, []);
});

test('any results make a chart without holes: none, one, zeros, many curves', () => {
  const point = fc.record({
    label: fc.string({ unit: 'binary' }),
    relativeMemory: fc.double({ min: 0, max: 1e6, noNaN: true }),
    coldStarts: fc.integer({ min: 0, max: 1e9 }),
  });
  const all = fc.array(fc.record({ name: fc.string(), points: fc.array(point, { maxLength: 8 }) }), { maxLength: 9 });
  fc.assert(
    fc.property(all, (some) =>
      assert.doesNotMatch(
        tradeOffSvg({ title: '', subtitle: '', curves: some }).replaceAll(/<(title|desc|text)[^]*?<\/\1>/g, ''),
        /NaN|undefined|Infinity/,
      ),
    ),
  );
});
