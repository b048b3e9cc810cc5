import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPolicy, POLICY_NAMES } from './mod.ts';
import { MAX_SHARED_BYTES, MAX_STATE_BYTES } from './policy.ts';
import type { FunctionWarming, WarmedFunction } from './policy.ts';

const MINUTE = 60_000;
const START = 1_800_000_000_000;
const subject: WarmedFunction = { id: 'f', app: 'a', trigger: 'timer', instance: { memoryMiB: 100, savedMs: 500 } };
const call = (warming: FunctionWarming, times: readonly number[]) => times.forEach((atMs) => warming.called({ atMs, cold: false }));
const every = (minutes: number, count: number) => Array.from({ length: count }, (_, i) => START + i * minutes * MINUTE);

test('every policy has its name, saves its state within its bytes, and goes on with it', () => {
  fc.assert(
    fc.property(fc.constantFrom(...POLICY_NAMES), fc.array(fc.nat(10 * 60 * MINUTE), { maxLength: 30 }), (name, gaps) => {
      const policy = createPolicy(name);
      assert.equal(policy.name, name);
      const warming = policy.open(subject);
      let atMs = START;
      call(
        warming,
        gaps.map((gap) => (atMs += gap)),
      );
      warming.update(subject);
      const again = createPolicy(name);
      assert.ok(policy.save().byteLength <= MAX_SHARED_BYTES && warming.save().byteLength <= MAX_STATE_BYTES);
      assert.equal(again.load(policy.save()), true);
      const back = again.open(subject, warming.save());
      assert.deepEqual(back.plan(atMs + 1), warming.plan(atMs + 1));
      assert.deepEqual(back.explain(atMs + 1), warming.explain(atMs + 1));
      warming.close();
    }),
    { numRuns: 300 },
  );
});

test('what is no saved state is not used', () => {
  for (const name of POLICY_NAMES) {
    const policy = createPolicy(name);
    assert.deepEqual(policy.open(subject, Uint8Array.of(1, 2, 3)).save(), policy.open({ ...subject, id: 'g' }).save());
    assert.equal(policy.load(Uint8Array.of(1, 2, 3)), false);
  }
});

test('nothing is held of what was never called', () => {
  for (const name of POLICY_NAMES) assert.deepEqual(createPolicy(name).open(subject).plan(START), [{ atMs: START, rung: 'nothing' }]);
});

test('none holds nothing, fixed for a while, the orders of eviction for ever', () => {
  const planOf = (name: 'none' | 'fixed' | 'lru', nowMs = START) => {
    const warming = createPolicy(name, { keepMs: 5 * MINUTE }).open(subject);
    call(warming, [START]);
    return warming.plan(nowMs);
  };
  assert.deepEqual(planOf('none'), [{ atMs: START, rung: 'nothing' }]);
  assert.deepEqual(planOf('fixed', START + MINUTE), [
    { atMs: START + MINUTE, rung: 'instance' },
    { atMs: START + 5 * MINUTE, rung: 'nothing' },
  ]);
  assert.deepEqual(planOf('fixed', START + 5 * MINUTE), [{ atMs: START + 5 * MINUTE, rung: 'nothing' }]);
  assert.deepEqual(planOf('lru'), [{ atMs: START, rung: 'instance' }]);
  assert.deepEqual(
    POLICY_NAMES.map((name) => createPolicy(name).eviction),
    ['lru', 'lru', 'lru', 'greedy-dual', 'value', 'lru', 'value'],
  );
});

test('the histogram drops, loads again at 0.9 of the 5th percentile, and holds until 1.1 of the 99th', () => {
  const warming = createPolicy('histogram').open(subject);
  call(warming, every(30, 50));
  const nowMs = START + 49 * 30 * MINUTE;
  assert.deepEqual(warming.plan(nowMs), [
    { atMs: nowMs, rung: 'nothing' },
    { atMs: nowMs + 27 * MINUTE, rung: 'instance' },
    { atMs: nowMs + 31 * 1.1 * MINUTE, rung: 'nothing' },
  ]);
  assert.equal(warming.plan(nowMs + 28 * MINUTE)[0]!.rung, 'instance');
  assert.deepEqual(warming.plan(nowMs + 40 * MINUTE), [{ atMs: nowMs + 40 * MINUTE, rung: 'nothing' }]);
  assert.match(warming.explain(nowMs).reason, /5th and their 99th/);
});

test('idle times all over the range are waited for, all four hours', () => {
  const warming = createPolicy('histogram').open(subject);
  let atMs = START;
  call(
    warming,
    Array.from({ length: 240 }, (_, i) => (atMs += i * MINUTE)),
  );
  assert.deepEqual(warming.plan(atMs), [
    { atMs, rung: 'instance' },
    { atMs: atMs + 240 * MINUTE, rung: 'nothing' },
  ]);
  assert.match(warming.explain(atMs).reason, /too little/);
});

test('around longer idle times than the range, an instance is held from 15 % before their mean', () => {
  const warming = createPolicy('histogram').open(subject);
  call(warming, every(600, 5));
  const nowMs = START + 4 * 600 * MINUTE;
  assert.deepEqual(warming.plan(nowMs).slice(1), [
    { atMs: nowMs + 510 * MINUTE, rung: 'instance' },
    { atMs: nowMs + 690 * MINUTE, rung: 'nothing' },
  ]);
  assert.match(warming.explain(nowMs).reason, /longer than four hours/);
});
