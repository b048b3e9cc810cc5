import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPolicy } from './mod.ts';
import { MAX_STATE_BYTES, MAX_STEPS, TRIGGERS } from './policy.ts';
import type { FunctionWarming, Plan, Rung, WarmedFunction } from './policy.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = 1_800_000_000_000;
const subject = (more: Partial<WarmedFunction> = {}): WarmedFunction => ({
  id: 'f',
  app: 'a',
  trigger: 'timer',
  instance: { memoryMiB: 100, savedMs: 500 },
  ...more,
});
const hazard = (priceMiBSeconds = 250_000) => createPolicy('hazard', { priceMiBSeconds });
const rungAt = (plan: Plan, atMs: number): Rung => plan.findLast((step) => step.atMs <= atMs)?.rung ?? 'nothing';
/** The plan, asked for again where it ends before that time. */
function goneOn(warming: FunctionWarming, plan: Plan, untilMs: number): Plan {
  let all = plan;
  while (all.length > 1 && all.at(-1)!.atMs < untilMs) {
    const more = warming.plan(all.at(-1)!.atMs);
    all = [...all.slice(0, -1), ...more];
    if (more.length === 1) break;
  }
  return all;
}
/** Calls it at these times, each after a plan; how many came when nothing was held, and how long something was. */
function live(warming: FunctionWarming, times: Iterable<number>) {
  let [cold, heldMs, calls, lastMs] = [0, 0, 0, START];
  let plan: Plan = [];
  for (const atMs of times) {
    plan = goneOn(warming, plan, atMs);
    const isCold = rungAt(plan, atMs - 1) === 'nothing';
    if (calls++ > 0 && isCold) cold++;
    plan.forEach((step, i) => {
      const untilMs = Math.min(atMs, plan[i + 1]?.atMs ?? Infinity);
      if (step.rung !== 'nothing') heldMs += Math.max(0, untilMs - Math.max(lastMs, step.atMs));
    });
    warming.called({ atMs, cold: isCold });
    plan = warming.plan(atMs);
    lastMs = atMs;
  }
  return { cold, heldMs, calls, plan, lastMs };
}
const every = (periodMs: number, count: number, fromMs = START) => Array.from({ length: count }, (_, i) => fromMs + i * periodMs);

test('a plan is in order, begins with what is held now, and has few steps', () => {
  const gaps = fc.array(fc.double({ min: 0, max: 3 * 24 * HOUR, noNaN: true }), { minLength: 1, maxLength: 60 });
  const template = fc.option(fc.constant({ memoryMiB: 40, savedMs: 400 }), { nil: undefined });
  const asked = fc.record({
    gaps,
    template,
    price: fc.integer({ min: 0, max: 1e7 }),
    trigger: fc.constantFrom(...TRIGGERS),
    later: fc.nat(2 * 24 * HOUR),
  });
  fc.assert(
    fc.property(asked, ({ gaps, template, price, trigger, later }) => {
      const warming = hazard(price).open(subject({ trigger, ...(template && { template }) }));
      let atMs = START;
      for (const gap of gaps) warming.called({ atMs: (atMs += gap), cold: false });
      const plan = warming.plan(atMs + later);
      assert.equal(plan[0]!.atMs, atMs + later);
      assert.ok(plan.length <= MAX_STEPS && plan.at(-1)!.rung === 'nothing');
      plan.slice(1).forEach((step, i) => assert.ok(step.atMs > plan[i]!.atMs && step.rung !== plan[i]!.rung));
      const explained = warming.explain(atMs + later);
      assert.equal(explained.stretches[0]!.rung, plan[0]!.rung);
      assert.ok(warming.save().byteLength <= MAX_STATE_BYTES);
    }),
    { numRuns: 200 },
  );
});

test('the higher the price, the longer something is held', () => {
  const times = every(7 * MINUTE, 12);
  const held = [0, 10_000, 100_000, 1_000_000, 10_000_000].map((price) => live(hazard(price).open(subject()), times).heldMs);
  assert.equal(held[0], 0);
  held.slice(1).forEach((ms, i) => assert.ok(ms >= held[i]!));
  assert.ok(held.at(-1)! > 20 * MINUTE);
});

test('a function that is called every fifteen minutes is dropped in between, and is there for the call', () => {
  const { cold, heldMs, calls } = live(hazard().open(subject()), every(15 * MINUTE, 96));
  assert.ok(cold <= 1, `${cold} of ${calls}`);
  assert.ok(heldMs < 0.2 * 24 * HOUR, `${heldMs / HOUR} h`);
});

test('a period that changes is known again after a few calls', () => {
  const warming = hazard().open(subject());
  live(warming, every(10 * MINUTE, 200));
  const { cold } = live(warming, every(25 * MINUTE, 40, START + 2_000 * MINUTE));
  assert.ok(cold <= 6, `${cold}`);
});

test('of calls without any pattern, frequent ones are waited for and rare ones are not', () => {
  const poisson = (meanMs: number, count: number) => {
    let state = 7;
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    let atMs = START;
    return Array.from({ length: count }, () => (atMs += -meanMs * Math.log(random())));
  };
  const frequent = live(hazard().open(subject({ trigger: 'http' })), poisson(3 * MINUTE, 400));
  assert.ok(frequent.cold < 0.03 * frequent.calls, `${frequent.cold}`);
  const rare = live(hazard().open(subject({ trigger: 'http' })), poisson(12 * HOUR, 60));
  assert.ok(rare.heldMs < 0.1 * (rare.lastMs - START), `${rare.heldMs / HOUR} h`);
});

test('of bursts, only the first call of each is cold', () => {
  const times = every(5 * HOUR, 30).flatMap((atMs) => every(40_000, 20, atMs));
  const { cold, heldMs } = live(hazard().open(subject({ trigger: 'queue' })), times);
  assert.ok(cold <= 30 + 3, `${cold}`);
  assert.ok(heldMs < 0.25 * 150 * HOUR, `${heldMs / HOUR} h`);
});

test('a week of office hours: nothing is held through the nights', () => {
  const times = every(24 * HOUR, 7).flatMap((day) => every(6 * MINUTE, 80, day));
  const warming = hazard().open(subject({ trigger: 'http' }));
  const { cold, plan, lastMs } = live(warming, times);
  assert.ok(cold <= 10, `${cold}`);
  assert.equal(rungAt(goneOn(warming, plan, lastMs + 3 * HOUR), lastMs + 3 * HOUR), 'nothing');
});

test('the same calls lead to the same plans after a restart, in the middle and in the end', () => {
  const gap = fc.oneof(fc.constant(5 * MINUTE), fc.double({ min: 0, max: 2 * HOUR, noNaN: true }));
  fc.assert(
    fc.property(fc.array(gap, { minLength: 2, maxLength: 40 }), fc.nat(38), (gaps, restartAt) => {
      const whole = hazard();
      const one = whole.open(subject());
      let [policy, other] = [hazard(), undefined as FunctionWarming | undefined];
      other = policy.open(subject());
      let atMs = START;
      gaps.forEach((gapMs, i) => {
        atMs += gapMs;
        if (i === restartAt) {
          const [shared, own] = [policy.save(), other!.save()];
          policy = hazard();
          assert.equal(policy.load(shared), true);
          other = policy.open(subject(), own);
        }
        for (const warming of [one, other!]) warming.called({ atMs, cold: false });
        assert.deepEqual(other!.plan(atMs), one.plan(atMs));
      });
    }),
    { numRuns: 60 },
  );
});

test('a broken state is none', () => {
  const warming = hazard().open(subject());
  live(warming, every(5 * MINUTE, 20));
  const saved = warming.save();
  const fresh = hazard().open(subject()).explain(START);
  const broken = (change: (view: DataView, bytes: Uint8Array) => void) => {
    const copy = saved.slice();
    change(new DataView(copy.buffer), copy);
    return copy;
  };
  const states = [
    new Uint8Array(),
    saved.subarray(0, 40),
    broken((view) => view.setUint32(0, 1)),
    broken((view) => view.setFloat64(4, -1)),
    broken((view) => view.setFloat64(12, NaN)),
    broken((_, bytes) => bytes.fill(0, 30, 32)),
    broken((_, bytes) => bytes.set(Buffer.from('{"starts":"","links":[]}'), 30)),
    broken((_, bytes) => bytes.set(Buffer.from(' '.repeat(20) + 'null'), 30)),
    broken((_, bytes) => bytes.set(Buffer.from(' {"starts":1,"links":{}}'), 30)),
    broken((_, bytes) => bytes.set(Buffer.from('{"starts":1,"links":[1]}'), 30)),
  ];
  for (const state of states) assert.deepEqual(hazard().open(subject(), state).explain(START), fresh);
  assert.equal(hazard().open(subject(), saved).explain(START).calls, 20);
});

test('a child is held from the start of its parent on', () => {
  const policy = hazard();
  const parent = policy.open(subject({ id: 'parent', trigger: 'http' }));
  const child = policy.open(subject({ id: 'child', trigger: 'others' }));
  const stranger = policy.open(subject({ id: 'stranger', app: 'other' }));
  let expected: readonly string[] = [];
  for (let i = 0; i < 8; i++) {
    const atMs = START + i * 7 * HOUR + i * i * 13 * MINUTE;
    expected = parent.called({ atMs, cold: true });
    if (i < 7) child.called({ atMs: atMs + 2_000, cold: true });
    stranger.called({ atMs: atMs + 2_500, cold: true });
  }
  const nowMs = START + 7 * 7 * HOUR + 49 * 13 * MINUTE;
  assert.deepEqual(expected, ['child']);
  assert.equal(rungAt(child.plan(nowMs), nowMs + 1_000), 'instance');
  assert.equal(child.explain(nowMs).stretches[0]!.rung, 'instance');
  assert.equal(rungAt(child.plan(nowMs), nowMs + HOUR), 'nothing');
  assert.deepEqual(stranger.called({ atMs: nowMs, cold: true }), []);
  child.close();
  assert.deepEqual(parent.called({ atMs: nowMs + HOUR, cold: true }), []);
});

test('a child of another application is known where the call says who made it, and its parent survives a restart', () => {
  const policy = hazard();
  const parent = policy.open(subject({ id: 'parent' }));
  policy.open(subject({ id: 'child', app: 'other' }));
  const child = policy.open(subject({ id: 'child', app: 'other' }));
  for (let i = 0; i < 6; i++) {
    parent.called({ atMs: START + i * HOUR, cold: true });
    child.called({ atMs: START + i * HOUR + 500, cold: true, parent: 'parent' });
    child.called({ atMs: START + i * HOUR + 600, cold: true, parent: 'child' });
    child.called({ atMs: START + i * HOUR + 700, cold: true, parent: 'unknown' });
  }
  const again = hazard();
  const back = again.open(subject({ id: 'parent' }), parent.save());
  again.open(subject({ id: 'child', app: 'other' }));
  assert.deepEqual(back.called({ atMs: START + 9 * HOUR, cold: true }), ['child']);
  assert.deepEqual(
    createPolicy('hazard', { priceMiBSeconds: 1 })
      .open(subject(), parent.save())
      .called({ atMs: START + 9 * HOUR, cold: true }),
    [],
  );
  const cheap = hazard(1);
  const cheapParent = cheap.open(subject({ id: 'parent' }), parent.save());
  cheap.open(subject({ id: 'child', app: 'other' }));
  assert.deepEqual(cheapParent.called({ atMs: START + 9 * HOUR, cold: true }), [], 'not worth it');
});

test('what does not fit is left out of the state', () => {
  const policy = hazard();
  const parent = policy.open(subject({ id: 'parent' }));
  for (let i = 0; i < 8; i++) {
    const id = String(i).repeat(1_000);
    parent.called({ atMs: START + i * HOUR, cold: true });
    policy.open(subject({ id })).called({ atMs: START + i * HOUR + 1, cold: true });
  }
  assert.ok(parent.save().byteLength < 1_000);
  assert.equal(hazard().open(subject(), parent.save()).explain(START).calls, 8);
});

test('a declared schedule is used from the first tick on, also without a call, and not learnt from', () => {
  const nextMs = (afterMs: number) => START + (Math.floor((afterMs - START) / HOUR) + 1) * HOUR;
  const scheduled = subject({ schedule: { nextMs, jitterMs: 10_000 } });
  const warming = hazard().open(scheduled);
  const plan = warming.plan(START + MINUTE);
  assert.equal(rungAt(plan, START + MINUTE), 'nothing');
  assert.equal(rungAt(plan, START + HOUR + 5_000), 'instance');
  assert.equal(rungAt(plan, START + HOUR + 20_000), 'nothing');
  assert.equal(rungAt(plan, START + 2 * HOUR), 'instance');
  const { cold, heldMs } = live(warming, every(HOUR, 50, START + HOUR));
  assert.equal(cold, 0);
  assert.ok(heldMs < 0.05 * 50 * HOUR, `${heldMs / MINUTE} min`);
  // A call in between is no tick, and what is held for the tick has been used with it.
  warming.called({ atMs: START + 50 * HOUR + 20 * MINUTE, cold: true });
  assert.equal(rungAt(warming.plan(START + 50 * HOUR + 20 * MINUTE), START + 51 * HOUR), 'instance');
  const ends = hazard().open({ ...scheduled, schedule: { nextMs: () => undefined, jitterMs: 0 } });
  ends.called({ atMs: START, cold: true });
  assert.ok(ends.plan(START).length > 0);
  warming.update({ ...scheduled, instance: { memoryMiB: 1e9, savedMs: 500 } });
  assert.deepEqual(warming.plan(START + 60 * HOUR), [{ atMs: START + 60 * HOUR, rung: 'nothing' }], 'not at that cost');
});

test('at the drop a function steps down: an instance, its template, nothing', () => {
  const ladder = subject({
    trigger: 'http',
    instance: { memoryMiB: 60, savedMs: 500 },
    template: { memoryMiB: 5, savedMs: 350 },
  });
  const warming = hazard(400_000).open(ladder);
  const { plan: first, lastMs } = live(warming, every(2 * MINUTE, 30));
  const plan = goneOn(warming, first, lastMs + 24 * HOUR);
  const rungs = plan.map((step) => step.rung).filter((rung, i, all) => rung !== all[i - 1]);
  const instance = rungs.indexOf('instance');
  assert.deepEqual([instance >= 0, rungs[instance + 1], rungs.at(-1)], [true, 'template', 'nothing']);
  assert.ok(warming.explain(lastMs).stretches.some((stretch) => stretch.rung === 'template'));
});

test('the numbers behind a plan are told', () => {
  const warming = hazard().open(subject());
  assert.match(warming.explain(START).reason, /never been called/);
  assert.equal(warming.explain(START).next, undefined);
  const { lastMs } = live(warming, every(15 * MINUTE, 50));
  const held = warming.explain(lastMs + 15 * MINUTE);
  assert.match(held.reason, /^an instance is held: the chance of a call until the next change is \d+ %/);
  const between = warming.explain(lastMs + 5 * MINUTE);
  assert.match(between.reason, /^nothing is held: .*less than an instance costs$/);
  assert.equal(between.lastCallMs, lastMs);
  assert.ok(Math.abs(between.next!.medianMs - (lastMs + 15 * MINUTE)) < MINUTE);
  assert.ok(between.next!.p10Ms <= between.next!.medianMs && between.next!.medianMs <= between.next!.p90Ms);
  const late = warming.explain(lastMs + 100 * HOUR);
  assert.match(late.reason, /no call is expected any more/);
  assert.equal(late.next!.p10Ms, Infinity);
  const template = hazard(60_000).open(subject({ instance: { memoryMiB: 500, savedMs: 500 }, template: { memoryMiB: 2, savedMs: 499 } }));
  template.called({ atMs: START, cold: true });
  assert.match(template.explain(START).reason, /^the template is held/);
});
