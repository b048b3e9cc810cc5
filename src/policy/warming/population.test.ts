import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BINS } from './bins.ts';
import { Population } from './population.ts';
import type { Context } from './population.ts';
import { MAX_SHARED_BYTES, TRIGGERS } from './policy.ts';
import { shippedPopulation } from './prior.ts';

const bins = fc.integer({ min: 0, max: BINS });
const lasts = fc.integer({ min: -1, max: BINS });
const contexts: fc.Arbitrary<Context> = fc
  .record({ last: lasts, before: lasts, scheduled: fc.boolean(), trigger: fc.constantFrom(...TRIGGERS) })
  .map((context) => (context.last < 0 ? { ...context, before: -1 } : context));
const lessons = fc.array(fc.record({ context: contexts, bin: bins, censored: fc.boolean() }), { maxLength: 100 });

const context = (last: number, before = last): Context => ({ last, before, scheduled: false, trigger: 'queue' });
const chancesOf = (population: Population, of: Context) => {
  const chances = new Float64Array(BINS);
  population.chances(of, chances);
  return chances;
};

test('chances stay chances, whatever was learnt', () => {
  fc.assert(
    fc.property(lessons, contexts, (learnt, asked) => {
      const population = new Population();
      for (const { context, bin, censored } of learnt) population.learn(context, bin, censored);
      for (const chance of chancesOf(population, asked)) assert.ok(chance >= 0 && chance <= 1);
    }),
    { numRuns: 200 },
  );
});

test('what is learnt of one period holds for another', () => {
  const population = new Population();
  for (const period of [3, 4, 5, 6, 10, 12, 20]) for (let i = 0; i < 100; i++) population.learn(context(period), period, false);
  const seven = chancesOf(population, context(7));
  const other = chancesOf(population, { ...context(7), trigger: 'timer' });
  assert.ok(seven[7]! > 3 * seven[6]! && seven[7]! > 3 * seven[8]!);
  assert.ok(other[7]! > 3 * other[6]!, 'also in another class, as long as nothing else is known of it');
});

test('classes that behave otherwise are told apart', () => {
  const population = new Population();
  for (let i = 0; i < 500; i++) {
    population.learn({ ...context(5), trigger: 'timer' }, 5, false);
    population.learn({ ...context(5), trigger: 'http' }, 1, false);
  }
  const chance = (trigger: Context['trigger'], bin: number) => chancesOf(population, { ...context(5), trigger })[bin]!;
  assert.ok(chance('timer', 5) > 0.5 && chance('http', 1) > 0.5 && chance('timer', 1) < 0.2);
});

test('a gap that has not ended makes a call less likely up to where it is known', () => {
  const population = new Population();
  const before = chancesOf(population, context(5));
  for (let i = 0; i < 200; i++) population.learn(context(5), 20, true);
  const after = chancesOf(population, context(5));
  assert.ok(after[5]! < before[5]! / 2 && after[19]! < before[19]! / 2);
  assert.equal(after[BINS - 1], before[BINS - 1]);
});

test('a trace in minutes says nothing about shorter gaps', () => {
  const population = new Population();
  for (let i = 0; i < 200; i++) population.learn(context(5), 5, false, 1);
  assert.equal(chancesOf(population, context(5))[0], chancesOf(new Population(), context(5))[0]);
});

test('a host that has changed is known again', () => {
  const population = new Population();
  for (let i = 0; i < 1_000_001; i++) population.learn(context(5), 3, false);
  const size = population.save();
  const known = new DataView(size.buffer).getUint32(4);
  assert.ok(known < 1_000_000);
});

test('saved and loaded, it knows the same, within its bytes', () => {
  fc.assert(
    fc.property(lessons, contexts, (learnt, asked) => {
      const population = shippedPopulation();
      for (const { context, bin, censored } of learnt) population.learn(context, bin, censored);
      const saved = population.save();
      assert.ok(saved.byteLength <= MAX_SHARED_BYTES);
      const loaded = new Population();
      assert.equal(loaded.load(saved), true);
      const [ours, theirs] = [chancesOf(population, asked), chancesOf(loaded, asked)];
      ours.forEach((chance, bin) => assert.ok(Math.abs(chance - theirs[bin]!) < 1e-5));
    }),
    { numRuns: 50 },
  );
});

test('bytes that are no population change nothing', () => {
  const population = new Population();
  population.learn(context(5), 5, false);
  const saved = population.save();
  const broken = (change: (view: DataView) => void) => {
    const copy = saved.slice();
    change(new DataView(copy.buffer));
    return copy;
  };
  const refused = [
    new Uint8Array(3),
    new Uint8Array(13),
    new Uint8Array(8 + 10 * 100_000),
    broken((view) => view.setUint32(0, 1)),
    broken((view) => view.setUint16(8, 65_535)),
    broken((view) => view.setFloat32(10, -1)),
    broken((view) => view.setFloat32(14, 0)),
    broken((view) => view.setFloat32(10, 99)),
    broken((view) => view.setFloat32(14, Infinity)),
  ];
  for (const bytes of refused) assert.equal(population.load(bytes), false);
  assert.deepEqual(population.save(), saved);
});

test('what comes with Hearth knows that gaps repeat', () => {
  const timer = chancesOf(shippedPopulation(), { ...context(15), trigger: 'timer' });
  assert.ok(timer[15]! > 0.5 && timer[8]! < 0.1);
});
