import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { autoscale, autoscalerState, GRACE_TO_ZERO_MS, keep, MAX_SCALE_DOWN_RATE, MAX_SCALE_UP_RATE, TICK_MS } from './mod.ts';
import type { AutoscalerSpec, AutoscalerState, KeptState } from './mod.ts';

const SPEC: AutoscalerSpec = {
  targetValue: 7,
  totalValue: 10,
  targetBurstCapacity: 20,
  panicThreshold: 2,
  maxScaleUpRate: MAX_SCALE_UP_RATE,
  maxScaleDownRate: MAX_SCALE_DOWN_RATE,
  stableWindowMs: 60_000,
  scaleDownDelayMs: 0,
  activationScale: 0,
  reachable: true,
};

const amounts = fc.double({ min: 0, max: 500, noNaN: true });
const specs = fc
  .record({
    totalValue: fc.integer({ min: 1, max: 100 }),
    utilisation: fc.double({ min: 0.1, max: 1, noNaN: true }),
    panicThreshold: fc.double({ min: 1.1, max: 10, noNaN: true }),
    maxScaleUpRate: fc.double({ min: 1.1, max: 1_000, noNaN: true }),
    maxScaleDownRate: fc.double({ min: 1.1, max: 100, noNaN: true }),
    scaleDownDelayMs: fc.constantFrom(0, 4_000, 30_000),
    activationScale: fc.nat(3),
    reachable: fc.boolean(),
    targetBurstCapacity: fc.constantFrom(-1, 0, 200),
  })
  .map(({ utilisation, ...rest }): AutoscalerSpec => ({ ...SPEC, ...rest, targetValue: rest.totalValue * utilisation }));
const states = fc.record({
  panicSinceMs: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
  maxPanicInstances: fc.nat(50),
  delayed: fc.option(fc.nat(50), { nil: undefined }).map((value) => (value === undefined ? [] : [{ step: 45, value }])),
}) satisfies fc.Arbitrary<AutoscalerState>;
const NOW_MS = 100_000;
const instances = fc.nat(60);

test('more load never wants fewer instances', () => {
  fc.assert(
    fc.property(specs, states, instances, fc.tuple(amounts, amounts), fc.tuple(amounts, amounts), (spec, state, count, stables, panics) => {
      const wanted = (stable: number, panic: number) =>
        autoscale(spec, state, { instances: count, load: { stable, panic } }, NOW_MS).decision!.instances;
      const [less, more] = [Math.min(...stables), Math.max(...stables)];
      assert.ok(wanted(less, Math.min(...panics)) <= wanted(more, Math.max(...panics)));
    }),
    { numRuns: 2_000 },
  );
});

test('a decision is within what the rates allow, unless a burst or the delay holds more, or one instance is too few to begin with', () => {
  fc.assert(
    fc.property(specs, instances, amounts, amounts, (spec, count, stable, panic) => {
      const { decision } = autoscale(spec, autoscalerState(0, 0), { instances: count, load: { stable, panic } }, NOW_MS);
      const ready = Math.max(1, count);
      assert.ok(decision!.instances <= Math.max(Math.ceil(ready * spec.maxScaleUpRate), spec.activationScale));
      assert.ok(!spec.reachable || decision!.instances >= Math.floor(ready / spec.maxScaleDownRate));
    }),
    { numRuns: 2_000 },
  );
});

test('in a burst the number only rises, and it ends a stable window after it was seen last', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(amounts, amounts), { minLength: 1, maxLength: 29 }), (loads) => {
      let state = autoscalerState(0, 0);
      let before = 0;
      let nowMs = 0;
      const step = (stable: number, panic: number) => {
        const { decision, state: next } = autoscale(SPEC, state, { instances: Math.max(1, before), load: { stable, panic } }, nowMs);
        state = next;
        return decision!.instances;
      };
      before = step(0, 10_000);
      assert.equal(state.panicSinceMs, 0);
      let lastMs = 0;
      for (const [stable, panic] of loads) {
        nowMs += TICK_MS;
        const now = step(stable, panic);
        assert.ok(now >= before);
        before = now;
        lastMs = state.panicSinceMs ?? lastMs;
      }
      nowMs = lastMs + SPEC.stableWindowMs;
      step(0, 0);
      assert.notEqual(state.panicSinceMs, undefined);
      nowMs++;
      step(0, 0);
      assert.equal(state.panicSinceMs, undefined);
    }),
  );
});

test('where too little is known nothing is decided, and nothing forgotten', () => {
  const state = autoscalerState(3, 5);
  const load = { stable: 1, panic: 1 };
  assert.deepEqual(autoscale(SPEC, state, { instances: undefined, load }, 9), { decision: undefined, state });
  assert.deepEqual(autoscale(SPEC, state, { instances: 1, load: undefined }, 9), { decision: undefined, state });
});

const bounds = fc.tuple(fc.nat(20), fc.oneof(fc.nat(20), fc.constant(Infinity))).map(([least, more]) => ({ least, most: least + more }));

test('what is kept is never below the least nor above the most', () => {
  fc.assert(
    fc.property(bounds, fc.array(fc.nat(60), { minLength: 1 }), ({ least, most }, decisions) => {
      let state: KeptState = { wanted: 0, zeroSinceMs: undefined };
      for (const [index, decided] of decisions.entries()) {
        state = keep({ least, most, graceMs: GRACE_TO_ZERO_MS }, state, decided, index * 7_000);
        assert.ok(state.wanted >= least && state.wanted <= most);
      }
    }),
  );
});

test('none is kept only when none was needed for the whole of the grace, and then at once', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(2)), { minLength: 1, maxLength: 60 }), (decisions) => {
      const stepMs = 7_000;
      let state: KeptState = { wanted: 1, zeroSinceMs: undefined };
      for (const [index, decided] of decisions.entries()) {
        const before = state.wanted;
        state = keep({ least: 0, most: 5, graceMs: GRACE_TO_ZERO_MS }, state, decided, index * stepMs);
        const zeros = index - decisions.slice(0, index + 1).findLastIndex((each) => each > 0);
        const graceOver = (zeros - 1) * stepMs >= GRACE_TO_ZERO_MS;
        if (decided > 0) assert.equal(state.wanted, decided);
        else assert.equal(state.wanted, before === 0 || graceOver ? 0 : 1);
      }
    }),
  );
});

test('more decided is never less kept', () => {
  fc.assert(
    fc.property(bounds, fc.nat(60), fc.nat(60), fc.boolean(), ({ least, most }, one, other, waits) => {
      const state = { wanted: 3, zeroSinceMs: waits ? 10 : undefined };
      const kept = (decided: number) => keep({ least, most, graceMs: 30 }, state, decided, 50).wanted;
      assert.ok(kept(Math.min(one, other)) <= kept(Math.max(one, other)));
    }),
  );
});

test('the last instance goes when the grace is over, and not before', () => {
  const none = { least: 0, most: 5, graceMs: GRACE_TO_ZERO_MS };
  const waiting = keep(none, { wanted: 2, zeroSinceMs: undefined }, 0, 1_000);
  assert.deepEqual(waiting, { wanted: 1, zeroSinceMs: 1_000 });
  assert.deepEqual(keep(none, waiting, 0, 30_999), waiting);
  assert.deepEqual(keep(none, waiting, 0, 31_000), { wanted: 0, zeroSinceMs: undefined });
  assert.deepEqual(keep(none, waiting, 1, 31_000), { wanted: 1, zeroSinceMs: undefined });
});
