import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Population } from '../../policy/mod.ts';
import type { Trace, TraceFunction } from '../trace.ts';
import { arrivalsOf } from './arrivals.ts';
import { drivenTrace, planLive } from './plan.ts';
import type { LiveOptions } from './plan.ts';
import { predictStarts } from './predict.ts';
import type { LivePolicy } from './predict.ts';
import { verdictOf } from './verdict.ts';

const MINUTE_MS = 60_000;
const subject = (id: string, counts: TraceFunction['counts'], more: Partial<TraceFunction> = {}): TraceFunction => ({
  ...{ id, app: 'a', trigger: 'http', durationMs: { average: 600 }, memoryMiB: 64, counts, ...more },
});
const COSTS = { instance: { memoryMiB: 1, savedMs: 22 }, template: { memoryMiB: 5, savedMs: 20 } };
const fixed = (keepMs: number): LivePolicy => ({ name: 'fixed', options: { keepMs } });
const OPTIONS: LiveOptions = {
  ...{ speed: 60, seed: 1, policy: fixed(10 * MINUTE_MS), measured: COSTS, apartMs: 50, fromMinute: 0, toMinute: 60 },
  ...{ maxFunctions: 10, maxCalls: 1_000, maxColdStarts: Infinity, maxCallsPerSecond: 50 },
};
const trace = (...functions: readonly TraceFunction[]): Trace => ({ name: 't', minutes: 60, functions });
const counts = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 1, max: 300 })), { selector: ([minute]) => minute })
  .map((some) => some.toSorted(([one], [other]) => one - other));

test('arrivals lie in their minutes, in order, the same for the same seed, and others for another', () => {
  fc.assert(
    fc.property(counts, fc.integer(), (some, seed) => {
      const options = { seed, fromMinute: 10, toMinute: 50 };
      const arrivals = arrivalsOf(subject('f', some), options);
      assert.deepEqual(arrivals, arrivalsOf(subject('f', some), options));
      assert.deepEqual(arrivals, arrivals.toSorted());
      const found = Map.groupBy(arrivals, (atMs) => 10 + Math.floor(atMs / MINUTE_MS));
      const expected = some.filter(([minute]) => minute >= 10 && minute < 50);
      assert.deepEqual(
        [...found].map(([minute, all]) => [minute, all.length]),
        expected,
      );
    }),
  );
  const one = subject('f', [[0, 100]]);
  const whole = { fromMinute: 0, toMinute: 1 };
  assert.notDeepEqual(arrivalsOf(one, { ...whole, seed: 1 }), arrivalsOf(one, { ...whole, seed: 2 }));
  assert.notDeepEqual(arrivalsOf(one, { ...whole, seed: 1 }), arrivalsOf({ ...one, id: 'g' }, { ...whole, seed: 1 }));
});

test('exact arrivals are taken as they are, from the minute on that is asked for', () => {
  const exact = subject(
    'f',
    [
      [0, 1],
      [2, 1],
    ],
    { arrivalsMs: Float64Array.of(5, 2 * MINUTE_MS + 7) },
  );
  assert.deepEqual(arrivalsOf(exact, { seed: 1, fromMinute: 1, toMinute: 3 }), Float64Array.of(MINUTE_MS + 7));
});

test('a plan keeps to its limits, its calls lie apart, and the simulator is told of the same calls', () => {
  fc.assert(
    fc.property(
      fc.array(counts, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: 1, max: 8 }),
      (some, speed, maxFunctions) => {
        const options = { ...OPTIONS, speed, maxFunctions, maxCalls: 200, maxCallsPerSecond: 5 };
        const plan = planLive(trace(...some.map((each, index) => subject(`f${index}`, each))), options);
        assert.ok(plan.trace.functions.length <= maxFunctions && plan.calls.length <= 200);
        assert.equal(plan.lengthMs, (60 * MINUTE_MS) / speed);
        for (const calls of Map.groupBy(plan.calls, ({ atMs }) => Math.floor(atMs / 1_000)).values()) assert.ok(calls.length <= 5);
        for (const [index, { arrivalsMs, counts: perMinute, durationMs }] of plan.trace.functions.entries()) {
          const calls = plan.calls.filter((call) => call.function === index);
          assert.deepEqual(
            [...arrivalsMs!],
            calls.map(({ atMs }) => Math.min(60 * MINUTE_MS - 1, atMs * speed)),
          );
          assert.equal(
            perMinute.reduce((sum, [, count]) => sum + count, 0),
            calls.length,
          );
          for (const [next, { atMs }] of calls.slice(1).entries()) assert.ok(atMs >= calls[next]!.atMs + durationMs.average / speed + 49.9);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('functions that are given up at times and kept at others come first; those too busy are left out and counted', () => {
  const every = (minutes: number) => Array.from({ length: Math.floor(60 / minutes) }, (_, index) => [index * minutes, 1] as const);
  const mixed = [0, 2, 4, 20, 22, 40, 42].map((minute) => [minute, 1] as const);
  const busy = subject(
    'busy',
    every(1).map(([minute]) => [minute, 3_000] as const),
    { durationMs: { average: 1 } },
  );
  const plan = planLive(trace(subject('kept', every(3)), busy, subject('mixed', mixed), subject('given up', every(15))), {
    ...OPTIONS,
    maxFunctions: 2,
  });
  assert.deepEqual(
    plan.trace.functions.map(({ id }) => id),
    ['mixed', 'given up'],
  );
  assert.equal(plan.leftOut.functions, 2);
  assert.ok(planLive(trace(busy), OPTIONS).calls.length === 0);
  const crowded = planLive(trace(subject('crowded', [[0, 200]])), OPTIONS);
  assert.equal(crowded.calls.length + crowded.leftOut.calls, 200);
});

test('functions that would have the machine boot too often are left out', () => {
  const every = (minutes: number) => Array.from({ length: Math.floor(60 / minutes) }, (_, index) => [index * minutes, 1] as const);
  const some = trace(subject('a', every(15)), subject('b', every(15)), subject('c', every(15)), subject('kept', every(5)));
  assert.deepEqual(
    planLive(some, { ...OPTIONS, maxColdStarts: 7 }).trace.functions.map(({ id }) => id),
    ['a', 'b', 'kept'],
  );
});

test('a prediction knows what a platform has learnt before, what functions share, and that starts last longer in a trace that is pressed together', () => {
  const every = (minutes: number) => Array.from({ length: Math.floor(60 / minutes) }, (_, index) => [index * minutes, 1] as const);
  const plan = planLive(trace(subject('a', every(6)), subject('b', every(6), { app: 'b' })), OPTIONS);
  const policy: LivePolicy = { name: 'hazard', options: { priceMiBSeconds: 10_000 } };
  const coldOf = (given: LivePolicy) =>
    [...predictStarts(plan.trace, { policy: given, measured: COSTS, speed: 60 }).values()].reduce((sum, { cold }) => sum + cold, 0);
  const taught = new Population();
  for (let gaps = 0; gaps < 10_000; gaps++) taught.learn({ last: 6, before: 6, scheduled: false, trigger: 'others' }, 6, false);
  assert.ok(coldOf({ ...policy, shared: taught.save() }) < coldOf(policy));
  assert.deepEqual(coldOf({ ...policy, shared: new Uint8Array() }), coldOf(policy));
  // Nothing is held long enough, or everything.
  const priced = (priceMiBSeconds: number) => ({ ...policy, options: { priceMiBSeconds } });
  assert.equal(coldOf(priced(0)), plan.calls.length - 2);
  assert.equal(coldOf(priced(1e9)), 0);
});

test('counts agree with predictions within five hundredths, and where errors cancel out the functions are named', () => {
  const verdict = verdictOf([
    { id: 'a', predicted: 50, counted: 53 },
    { id: 'b', predicted: 50, counted: 51 },
    { id: 'c', predicted: 1, counted: 1 },
  ]);
  assert.deepEqual([verdict.agrees, verdict.predicted, verdict.counted, verdict.few], [true, 101, 105, false]);
  assert.deepEqual(
    verdict.off.map(({ id }) => id),
    ['a', 'b'],
  );
  assert.equal(verdictOf([{ id: 'a', predicted: 100, counted: 106 }]).agrees, false);
  assert.equal(verdictOf([{ id: 'a', predicted: 100, counted: 94 }]).agrees, false);
  assert.deepEqual(
    [verdictOf([{ id: 'a', predicted: 0, counted: 1 }]).agrees, verdictOf([]).agrees, verdictOf([]).few],
    [false, true, true],
  );
});

test('a call is predicted to be cold when the one before it came longer ago than instances are kept', () => {
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 1_000 }), (some, speed, seed) => {
      // What the simulator takes together lies in a minute of the trace.
      const policy = fixed(5 * MINUTE_MS);
      const plan = planLive(trace(subject('f', some)), {
        ...OPTIONS,
        speed,
        seed,
        policy,
        maxCallsPerSecond: 10_000,
        maxCalls: 100_000,
      });
      const expected = plan.calls.filter(({ atMs }, index) => {
        const before = plan.calls[index - 1];
        return before && (atMs - before.atMs) * speed > 5 * MINUTE_MS;
      });
      const predicted = predictStarts(plan.trace, { policy, measured: COSTS, speed }).get('f')?.cold ?? 0;
      assert.ok(Math.abs(predicted - expected.length) <= 1, `${predicted} ${expected.length}`);
    }),
    { numRuns: 60 },
  );
});

test('calls that were sent late are predicted as they were sent', () => {
  const plan = planLive(
    trace(
      subject(
        'f',
        Array.from({ length: 12 }, (_, turn) => [turn * 5, 1] as const),
      ),
    ),
    OPTIONS,
  );
  const sentMs = plan.calls.map(({ atMs }) => atMs);
  assert.deepEqual(
    drivenTrace(plan, sentMs).functions.map(({ counts }) => counts),
    plan.trace.functions.map(({ counts }) => counts),
  );
  const predict = (sent: readonly number[]) =>
    predictStarts(drivenTrace(plan, sent), { policy: fixed(6 * MINUTE_MS), measured: COSTS, speed: 60 }).get('f')!.cold;
  assert.equal(predict(sentMs), 0);
  // 4 s are four minutes: the pause before it is too long for what is kept six. Whoever is later than the end is counted to the last minute.
  const late = sentMs.map((atMs, index) => (index === 5 ? atMs + 4_000 : atMs));
  assert.equal(predict(late), 1);
  assert.equal(drivenTrace(plan, [...sentMs.slice(0, -1), 1e6]).functions[0]!.counts.at(-1)![0], 59);
});
