import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPolicy, POLICY_NAMES, TRIGGERS } from '../policy/mod.ts';
import type { WarmingPolicy } from '../policy/mod.ts';
import { halfOf, recognised, simulate, trained } from './mod.ts';
import type { SimulateOptions, Trace, TraceFunction } from './mod.ts';

const MINUTE = 60_000;
const inMinutes: SimulateOptions = { resolution: 'minutes', seed: 1, schedules: 'unknown' };
const inMilliseconds: SimulateOptions = { ...inMinutes, resolution: 'milliseconds' };
const traced = (minutes: readonly number[], more: Partial<TraceFunction> = {}): TraceFunction => ({
  id: 'f',
  app: 'a',
  trigger: 'timer',
  durationMs: { average: 100 },
  memoryMiB: 100,
  counts: minutes.map((minute) => [minute, 1]),
  ...more,
});
const trace = (functions: readonly TraceFunction[], minutes = 480): Trace => ({ name: 't', minutes, functions });
const every = (minutes: number, until = 480) => Array.from({ length: Math.ceil(until / minutes) }, (_, i) => i * minutes);

const counts = fc.uniqueArray(fc.nat(119), { minLength: 1, maxLength: 60 }).map((all) => all.sort((a, b) => a - b));
const functions = fc
  .array(fc.record({ minutes: counts, calls: fc.integer({ min: 1, max: 40 }), trigger: fc.constantFrom(...TRIGGERS), app: fc.nat(2) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((all) =>
    all.map(({ minutes, calls, trigger, app }, i) =>
      traced(minutes, {
        id: `f${i}`,
        app: `a${app}`,
        trigger,
        counts: minutes.map((minute) => [minute, calls] as const),
        memoryMiB: 10 * (i + 1),
      }),
    ),
  );
const anyOptions: fc.Arbitrary<SimulateOptions> = fc
  .record({
    resolution: fc.constantFrom('minutes' as const, 'milliseconds' as const),
    limitMemoryMiB: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined }),
    template: fc.option(fc.constant({ memoryPart: 0.3, savedPart: 0.8 }), { nil: undefined }),
  })
  .map(({ resolution, limitMemoryMiB, template }) => ({
    ...inMinutes,
    resolution,
    ...(limitMemoryMiB !== undefined && { limitMemoryMiB }),
    ...(template && { template }),
  }));

test('whatever the policy, no call is lost, and memory is between what calls need and all of it', () => {
  fc.assert(
    fc.property(functions, fc.constantFrom(...POLICY_NAMES), anyOptions, (functions, name, options) => {
      const result = simulate(trace(functions, 120), createPolicy(name), options);
      const total = functions.reduce((sum, { counts }) => sum + counts.reduce((of, [, calls]) => of + calls, 0), 0);
      assert.equal(result.calls, total);
      assert.equal(
        result.activeMinutes,
        functions.reduce((sum, { counts }) => sum + counts.length, 0),
      );
      assert.equal(result.firstTouches, functions.length);
      const all = functions.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0) * 120 * 60;
      assert.ok(result.memoryMiBSeconds > 0 && result.memoryMiBSeconds <= all * 1.000_001);
      assert.ok(result.coldPercent.p50 <= result.coldPercent.p75 && result.coldPercent.p75 <= result.coldPercent.p90);
      assert.ok(result.p99DelayMs === 0 || result.coldStarts + result.templateStarts > 0);
      if (options.resolution === 'minutes') assert.ok(result.coldStarts <= result.activeMinutes - result.firstTouches);
    }),
    { numRuns: 150 },
  );
});

test('a minute with calls and nothing held is one cold start; ten minutes are held for a call ten minutes later', () => {
  const of = (minutes: readonly number[]) => simulate(trace([traced(minutes)]), createPolicy('fixed'), inMinutes);
  assert.deepEqual([of([5, 15]).coldStarts, of([5, 16]).coldStarts], [0, 1]);
  assert.equal(of([5, 15]).memoryMiBSeconds, 100 * 60 * 21);
  assert.equal(of([5, 16]).memoryMiBSeconds, 100 * 60 * 22);
  assert.equal(simulate(trace([traced(every(5))]), createPolicy('none'), inMinutes).coldStarts, 95);
  assert.equal(simulate(trace([traced(every(5))]), createPolicy('none'), inMinutes).p99DelayMs, 500);
});

test('what overlaps with a call finds the function warm, and arrivals that are known are taken as they are', () => {
  const exact = traced([0, 1], {
    counts: [
      [0, 2],
      [1, 1],
    ],
    arrivalsMs: Float64Array.of(0, 900, 61_000),
    durationMs: { average: 1_000 },
  });
  const result = simulate(trace([exact], 3), createPolicy('none'), inMilliseconds);
  assert.deepEqual([result.firstTouches, result.coldStarts, result.calls], [1, 1, 3]);
  // Busy from 0 to 1,900 and from 61,000 to 62,500: each with its init.
  assert.equal(result.memoryMiBSeconds, (100 * (1_900 + 1_500)) / 1_000);
});

test('arrivals depend on the seed alone', () => {
  const functions = [traced(every(7), { counts: every(7).map((minute) => [minute, 20] as const) })];
  const run = (seed: number) => simulate(trace(functions), createPolicy('fixed', { keepMs: 5 * MINUTE }), { ...inMilliseconds, seed });
  assert.deepEqual(run(1), run(1));
  assert.notEqual(run(1).memoryMiBSeconds, run(2).memoryMiBSeconds);
});

/** A plan of one ends, and is asked for again, long after the last call of the others. */
const LONG_SILENCE = [[0, 1, 4, 82], [0], [0, 1, 7], [0]].map((minutes, index) => ({
  ...{ id: `f${index}`, app: index === 2 ? 'a1' : 'a0', trigger: 'http' as const, durationMs: { average: 100 } },
  memoryMiB: 10 * (index + 1),
  counts: minutes.map((minute) => [minute, 1] as [number, number]),
}));

test('no decision knows what comes: a trace that is cut goes as it did up to there', () => {
  fc.assert(
    fc.property(functions, fc.integer({ min: 1, max: 119 }), (functions, toMinute) => {
      const cut = functions.map((one) => ({ ...one, counts: one.counts.filter(([minute]) => minute < toMinute) }));
      const whole = simulate(trace(functions, 120), createPolicy('hazard'), { ...inMinutes, toMinute });
      assert.deepEqual(whole, simulate(trace(cut, 120), createPolicy('hazard'), { ...inMinutes, toMinute }));
      const before = simulate(trace(functions, 120), createPolicy('hazard'), { ...inMinutes, toMinute });
      const after = simulate(trace(functions, 120), createPolicy('hazard'), { ...inMinutes, fromMinute: toMinute });
      const all = simulate(trace(functions, 120), createPolicy('hazard'), inMinutes);
      assert.equal(before.coldStarts + after.coldStarts, all.coldStarts);
      assert.ok(Math.abs(before.memoryMiBSeconds + after.memoryMiBSeconds - all.memoryMiBSeconds) < 1);
    }),
    { numRuns: 40, examples: [[LONG_SILENCE, 83]] },
  );
});

test('under a limit what is idle is evicted, and what saves most stays', () => {
  const often = traced(every(2), { id: 'often', memoryMiB: 60 });
  const seldom = traced(every(40), { id: 'seldom', memoryMiB: 60 });
  const limited = { ...inMinutes, limitMemoryMiB: 100 };
  const run = (name: 'lru' | 'greedy-dual' | 'value') => simulate(trace([often, seldom]), createPolicy(name), limited);
  // In the first minute they are worth the same.
  assert.ok(run('value').perFunction[0]!.coldStarts <= 1);
  assert.equal(run('value').perFunction[1]!.coldStarts, 11);
  assert.ok(run('value').evictions > 0 && run('lru').coldStarts >= run('value').coldStarts);
  assert.ok(simulate(trace([often, seldom]), createPolicy('value'), { ...limited, resolution: 'milliseconds' }).evictions > 0);
});

test('timers are recognised with a jitter of a minute, and known schedules cost less', () => {
  const functions = [
    traced(every(5), { id: 'five' }),
    traced(
      every(20).map((minute, i) => minute + (i % 2)),
      { id: 'late' },
    ),
    traced([3, 9, 80, 81, 300], { id: 'none' }),
    traced(every(5), { id: 'web', trigger: 'http' }),
    traced([1, 2], { id: 'few' }),
  ];
  const known = recognised(trace(functions));
  assert.deepEqual(
    known.functions.map(({ schedule }) => schedule && [schedule.periodMs / MINUTE, schedule.phaseMs / MINUTE, schedule.jitterMs]),
    [[5, 0, MINUTE - 1], [20, 0, 2 * MINUTE - 1], undefined, undefined, undefined],
  );
  assert.deepEqual(recognised(known), known);
  const run = (schedules: 'known' | 'unknown') => simulate(known, createPolicy('hazard'), { ...inMinutes, schedules });
  assert.ok(run('known').coldStarts < run('unknown').coldStarts);
  assert.ok(run('known').memoryMiBSeconds < run('unknown').memoryMiBSeconds);
});

test('the halves of a trace have whole applications, and together all of it', () => {
  const whole = trace(Array.from({ length: 60 }, (_, i) => traced([i], { id: `f${i}`, app: `a${i % 20}` })));
  const [one, other] = [halfOf(whole, 'tuned'), halfOf(whole, 'held out')];
  assert.equal(one.functions.length + other.functions.length, 60);
  assert.ok(one.functions.every(({ app }) => other.functions.every((another) => another.app !== app)));
  assert.ok(trained(recognised(trace([traced(every(5)), traced([], { id: 'never' })]))).save().byteLength > 8);
});

test('a child that starts after its parent is there for it, in milliseconds', () => {
  const starts = Array.from({ length: 12 }, (_, i) => 37 * i + ((i * i) % 11));
  const at = (offsetMs: number) => Float64Array.from(starts, (minute) => minute * MINUTE + offsetMs);
  const parent = traced(starts, { id: 'parent', trigger: 'http', arrivalsMs: at(0) });
  const child = traced(starts, { id: 'child', trigger: 'others', arrivalsMs: at(9_000) });
  const result = simulate(trace([parent, child], 500), createPolicy('hazard', { priceMiBSeconds: 40_000 }), inMilliseconds);
  const cold = result.perFunction.map(({ coldStarts }) => coldStarts);
  assert.ok(cold[1]! <= 4 && cold[1]! < cold[0]!, cold.join());
});

test('whoever comes while something is being loaded for him finds as much as was there before, in milliseconds', () => {
  let lastMs = 0;
  const policy: WarmingPolicy = {
    ...createPolicy('none'),
    open: () => ({
      called: ({ atMs }) => ((lastMs = atMs), []),
      plan(nowMs) {
        const steps = [
          { atMs: lastMs, rung: 'nothing' },
          { atMs: lastMs + 4 * MINUTE, rung: 'template' },
          { atMs: lastMs + 5 * MINUTE, rung: 'instance' },
        ] as const;
        return steps.slice(steps.findLastIndex(({ atMs }) => atMs <= nowMs));
      },
      explain: () => assert.fail('not asked for here'),
      update: () => {},
      save: () => new Uint8Array(),
      close: () => {},
    }),
  };
  const options = { ...inMilliseconds, initMs: 1_000, template: { memoryPart: 0.5, savedPart: 0.8 } };
  // A template takes 800 ms, an instance of it 200.
  for (const [gapMs, coldStarts, templateStarts] of [
    [4 * MINUTE + 790, 1, 0],
    [4 * MINUTE + 810, 0, 1],
    [5 * MINUTE + 190, 0, 1],
    [5 * MINUTE + 210, 0, 0],
  ] as const) {
    const calls = traced([0, Math.floor(gapMs / MINUTE)], { arrivalsMs: Float64Array.of(0, gapMs), durationMs: { average: 1 } });
    const result = simulate(trace([calls]), policy, options);
    assert.deepEqual([result.coldStarts, result.templateStarts], [coldStarts, templateStarts], `${gapMs}`);
  }
});
