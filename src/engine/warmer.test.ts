import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPolicy } from '../policy/mod.ts';
import type { Call, FunctionWarming, Rung, WarmedFunction, WarmingPolicy } from '../policy/mod.ts';
import type { Bench } from './engine.testing.ts';
import { bench, deployment, echo, sim, slow } from './engine.testing.ts';
import type { Deployment } from './mod.ts';

const MINUTE_MS = 60_000;

/** A policy that says of each function what the test says, counted from its last call, or from when it was asked first. */
class Scripted implements WarmingPolicy {
  readonly name = 'scripted';
  readonly eviction = 'lru';
  readonly calls: (Call & { readonly id: string })[] = [];
  readonly opened: WarmedFunction[] = [];
  readonly saved: (Uint8Array | undefined)[] = [];
  readonly closed: string[] = [];
  asked = 0;
  expected: readonly string[] = [];
  readonly #plans: Record<string, readonly (readonly [afterMs: number, rung: Rung])[]>;
  /** Of each function: since when. */
  readonly since = new Map<string, number>();

  constructor(plans: Record<string, readonly (readonly [number, Rung])[]>) {
    this.#plans = plans;
  }

  open(subject: WarmedFunction, saved?: Uint8Array): FunctionWarming {
    this.opened.push(subject);
    this.saved.push(saved);
    const { id } = subject;
    return {
      called: (call) => {
        this.calls.push({ ...call, id });
        this.since.set(id, call.atMs);
        return this.expected;
      },
      plan: (nowMs) => {
        this.asked++;
        if (!this.since.has(id)) this.since.set(id, nowMs);
        const steps = (this.#plans[id] ?? []).map(([afterMs, rung]) => ({ atMs: this.since.get(id)! + afterMs, rung }));
        const current = steps.findLastIndex(({ atMs }) => atMs <= nowMs);
        return steps.slice(Math.max(0, current));
      },
      explain: () => ({ policy: this.name, reason: 'so it is written', calls: 1, lastCallMs: undefined, next: undefined, stretches: [] }),
      update: (now) => void this.opened.push(now),
      save: () => Buffer.from(`state of ${id}`),
      close: () => void this.closed.push(id),
    };
  }

  save = () => Buffer.from('shared');
  load = (saved: Uint8Array) => Buffer.from(saved).toString() === 'shared';
}

/** Long times, in which no boot ends. */
async function wait(b: Bench, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    b.clock.advance(Math.min(1_000, ms - passed));
    await b.pass(0);
  }
  await b.pass(20);
}

const held = (b: Bench, d: Deployment): Rung | undefined => b.engine.warming(d.id)?.held;
const causes = (b: Bench): string[] => b.starts.map(({ kind, cause }) => `${kind}: ${cause}`);

/** Rung by rung down, and loaded again. */
const DOWN_AND_UP = [
  [0, 'instance'],
  [MINUTE_MS, 'template'],
  [5 * MINUTE_MS, 'nothing'],
  [10 * MINUTE_MS, 'instance'],
  [11 * MINUTE_MS, 'nothing'],
] as const;

test('a plan is carried out: a function goes down rung by rung, and is loaded again ahead of its call', async () => {
  const policy = new Scripted({ 'echo:$LATEST': DOWN_AND_UP });
  const b = bench({ functions: { echo }, warming: { policy } });
  const d = deployment('echo');
  b.call(d);
  await b.pass(50);
  await wait(b, 30_000);
  assert.equal(held(b, d), 'instance');
  await wait(b, MINUTE_MS);
  assert.equal(held(b, d), 'template');
  await wait(b, 4 * MINUTE_MS);
  assert.equal(held(b, d), 'nothing');
  await wait(b, 5 * MINUTE_MS);
  assert.equal(held(b, d), 'instance');
  b.call(d);
  await b.pass(50);
  assert.deepEqual(causes(b), ['boot: first call', 'boot: expected', 'fork: expected', 'warm: idle']);
  assert.deepEqual(
    policy.calls.map(({ cold }) => cold),
    [true, false],
  );
});

test('what a function is loaded for in vain goes again, and whoever has come to the end of a plan asks for another', async () => {
  const policy = new Scripted({
    'echo:$LATEST': [
      [0, 'nothing'],
      [MINUTE_MS, 'template'],
      [2 * MINUTE_MS, 'nothing'],
    ],
  });
  const b = bench({ functions: { echo }, warming: { policy } });
  const d = deployment('echo');
  b.call(d);
  await b.pass(50);
  await wait(b, 5_000);
  assert.equal(held(b, d), 'nothing');
  assert.equal(policy.asked, 1);
  await wait(b, MINUTE_MS);
  assert.equal(held(b, d), 'template');
  await wait(b, MINUTE_MS);
  assert.deepEqual([held(b, d), policy.asked], ['nothing', 2]);
  assert.deepEqual(causes(b), ['boot: first call', 'boot: expected']);
});

test('a function that is called again and again is told of once, and asked about when it has been idle for a second', async () => {
  const policy = new Scripted({ 'echo:$LATEST': [[0, 'instance']] });
  const b = bench({ functions: { echo }, warming: { policy } });
  const d = deployment('echo');
  for (let i = 0; i < 100; i++) {
    b.call(d);
    await b.pass(300);
  }
  assert.deepEqual([policy.calls.length, policy.asked], [1, 0]);
  await b.pass(1_000);
  // It has gone on for half a minute: the last call counts too.
  assert.deepEqual([policy.calls.length, policy.asked], [2, 1]);
  assert.equal(policy.calls[1]!.cold, false);
  assert.ok(policy.calls[1]!.atMs - policy.calls[0]!.atMs > 29_000);
});

test('an invocation that runs for long is no idle function', async () => {
  const policy = new Scripted({ 'slow:$LATEST': [[0, 'nothing']] });
  const b = bench({ functions: { slow }, warming: { policy } });
  const d = deployment('slow', { timeoutMs: 100_000 });
  const call = b.call(d, { ms: 60_000 });
  b.call(d, { ms: 1 });
  await b.pass(50);
  await wait(b, 30_000);
  assert.equal(held(b, d), 'instance');
  await wait(b, 31_000);
  assert.equal(call.outcome().kind, 'answered');
  await wait(b, 3_000);
  assert.deepEqual([held(b, d), policy.asked], ['nothing', 1]);
});

test('what made room for others stays away until its plan loads it anew', async () => {
  const policy = new Scripted({
    'echo:$LATEST': [
      [0, 'instance'],
      [5 * MINUTE_MS, 'template'],
      [10 * MINUTE_MS, 'instance'],
    ],
    'slow:$LATEST': [[0, 'instance']],
  });
  const b = bench({ functions: { echo, slow }, limits: { maxInstancesTotal: 1 }, warming: { policy } });
  const d = deployment('echo');
  const other = deployment('slow', { timeoutMs: 900_000 });
  b.call(d);
  await b.pass(50);
  await wait(b, 5_000);
  b.call(other, { ms: 60_000 });
  await b.pass(50);
  assert.deepEqual([held(b, d), held(b, other)], ['template', 'instance']);
  await wait(b, 2 * MINUTE_MS);
  assert.equal(held(b, d), 'template');
  // There is no room for what may or may not be called.
  await wait(b, 10 * MINUTE_MS);
  assert.deepEqual([held(b, d), held(b, other)], ['template', 'instance']);
});

test('a child is loaded when its parent is called', async () => {
  const plans = { 'child:$LATEST': [[0, 'nothing']], 'parent:$LATEST': [[0, 'instance']] } as Record<string, readonly [number, Rung][]>;
  const policy = new Scripted(plans);
  const b = bench({ functions: { child: echo, parent: echo }, warming: { policy } });
  const [child, parent] = [deployment('child'), deployment('parent', { calls: { application: 'shop' } })];
  b.call(child);
  await b.pass(50);
  await wait(b, 5_000);
  assert.equal(held(b, child), 'nothing');
  plans['child:$LATEST'] = [[0, 'instance']];
  policy.expected = ['child:$LATEST', 'nobody:$LATEST'];
  b.call(parent);
  await b.pass(50);
  assert.equal(held(b, child), 'instance');
  assert.deepEqual(
    policy.opened.filter(({ id }) => id === 'parent:$LATEST').map(({ app }) => app),
    ['shop'],
  );
});

test('what is known outlives the host: a function that is expected is loaded before its first call', async () => {
  const policy = new Scripted({ 'echo:$LATEST': [[0, 'instance']] });
  const b = bench({ functions: { echo, slow }, warming: { policy } });
  b.call(deployment('echo'));
  await b.pass(2_000);
  const state = b.engine.takeWarmingChanges()!;
  assert.deepEqual([...state.functions.keys()], ['echo:$LATEST']);
  assert.equal(b.engine.takeWarmingChanges()!.functions.size, 0);
  const again = new Scripted({ 'echo:$LATEST': [[0, 'instance']] });
  const later = bench({ functions: { echo, slow }, warming: { policy: again, saved: state } });
  const d = deployment('echo');
  later.engine.resume(d);
  later.engine.resume(deployment('slow'));
  await later.pass(50);
  assert.equal(held(later, d), 'instance');
  assert.deepEqual(causes(later), ['boot: expected', 'fork: expected']);
  assert.equal(Buffer.from(again.saved[0]!).toString(), 'state of echo:$LATEST');
  assert.deepEqual(
    later.engine.stats().map(({ functionName }) => functionName),
    ['echo'],
  );
});

test('new code takes over what is known of a function, and a function that is gone is forgotten', async () => {
  const policy = new Scripted({ 'echo:$LATEST': [[0, 'instance']] });
  const b = bench({ functions: { echo }, warming: { policy } });
  const [old, next] = [deployment('echo'), deployment('echo')];
  b.call(old);
  await b.pass(2_000);
  void b.engine.prepare(next);
  const retired = b.engine.retire('echo', new Set([next.id]));
  await b.pass(100);
  await retired;
  assert.deepEqual([held(b, old), held(b, next)], [undefined, 'instance']);
  assert.equal(policy.saved.length, 1);
  assert.deepEqual(b.engine.forget('echo'), ['echo:$LATEST']);
  assert.deepEqual(policy.closed, ['echo:$LATEST']);
  assert.equal(b.engine.takeWarmingChanges()!.functions.size, 0);
});

test('no plan takes what is promised', async () => {
  const policy = new Scripted({ 'echo:$LATEST': [[0, 'nothing']] });
  const b = bench({ functions: { echo }, warming: { policy } });
  const d = deployment('echo', { scaling: { minInstances: 2 } });
  b.engine.rescale(d);
  b.call(d);
  await b.pass(50);
  await wait(b, 60 * MINUTE_MS);
  assert.equal(b.engine.stats()[0]!.idle, 2);
});

test('the fixed policy holds an instance for as long as it says', async () => {
  const b = bench({ functions: { echo }, warming: { policy: createPolicy('fixed', { keepMs: 5 * MINUTE_MS }) } });
  const d = deployment('echo');
  for (let calls = 0; calls < 3; calls++) {
    b.call(d);
    await b.pass(50);
    await wait(b, 4 * MINUTE_MS);
    assert.equal(held(b, d), 'instance');
  }
  await wait(b, 2 * MINUTE_MS);
  assert.equal(held(b, d), 'nothing');
  assert.deepEqual(causes(b), ['boot: first call', 'warm: idle', 'warm: idle']);
});

test('the hazard policy has an instance ready for a function that is called every hour, and none in between', async () => {
  const b = bench({ functions: { echo }, warming: { policy: createPolicy('hazard') } });
  const d = deployment('echo');
  for (let hour = 0; hour < 14; hour++) {
    b.call(d);
    await b.pass(50);
    await wait(b, 30 * MINUTE_MS);
    if (hour > 10) assert.notEqual(held(b, d), 'instance', 'half an hour after a call');
    await wait(b, 30 * MINUTE_MS - 100);
  }
  b.call(d);
  await b.pass(50);
  assert.deepEqual(causes(b).slice(-2), ['fork: expected', 'warm: idle']);
});

test('a function that is called by a known schedule is there for its first call, and for another one when that is said', async () => {
  const b = bench({ functions: { echo }, warming: { policy: createPolicy('hazard') } });
  const nextMs = (everyMs: number) => (afterMs: number) => (Math.floor(afterMs / everyMs) + 1) * everyMs;
  const d = deployment('echo', { calls: { schedule: { nextMs: nextMs(60 * MINUTE_MS), jitterMs: 0 } } });
  b.engine.rescale(d);
  const toHourMs = 60 * MINUTE_MS - (b.clock.now() % (60 * MINUTE_MS));
  await wait(b, toHourMs - 10_000);
  assert.equal(held(b, d), 'nothing');
  await wait(b, 10_000);
  assert.equal(held(b, d), 'instance');
  b.call(d);
  await b.pass(50);
  assert.deepEqual(causes(b), ['boot: expected', 'fork: expected', 'warm: idle']);
  b.engine.rescale({ ...d, calls: { schedule: { nextMs: () => undefined, jitterMs: 0 } } });
  await wait(b, 48 * 60 * MINUTE_MS);
  assert.equal(held(b, d), 'nothing');
});

test('what load makes worth keeping is no business of a plan', async () => {
  const policy = new Scripted({ 'slow:$LATEST': [[0, 'nothing']] });
  const b = bench({ functions: { slow }, warming: { policy } });
  const d = deployment('slow', { spec: { concurrency: 10 } });
  for (let i = 0; i < 40; i++) b.call(d, { ms: 2_500 });
  await b.pass(3_000);
  const { forks } = b.sandboxes.counts;
  await wait(b, 10_000);
  assert.equal(b.sandboxes.counts.forks, forks);
  assert.ok(b.engine.stats()[0]!.idle > 0, 'within the grace');
  await wait(b, 5 * MINUTE_MS);
  assert.equal(b.sandboxes.counts.forks, forks);
});

test('nothing is loaded while the node leaves', async () => {
  const policy = new Scripted({
    'echo:$LATEST': [
      [0, 'nothing'],
      [10_000, 'instance'],
    ],
    'slow:$LATEST': [[0, 'nothing']],
  });
  const b = bench({ functions: { echo, slow }, warming: { policy } });
  b.call(deployment('slow', { timeoutMs: 100_000 }), { ms: 30_000 });
  const d = deployment('echo');
  b.call(d);
  await b.pass(50);
  await wait(b, 2_000);
  const { boots } = b.sandboxes.counts;
  const drained = b.engine.drain(60_000);
  assert.equal(b.call(d).outcomes.length, 0);
  await wait(b, 40_000);
  await drained;
  assert.equal(b.sandboxes.counts.boots, boots);
});

test('at a speed all that a policy is told, asks and plans is in its time: pauses, moments of calls, steps, and what starts take', async () => {
  const SPEED = 60;
  const policy = new Scripted({ 'echo:$LATEST': DOWN_AND_UP });
  const b = bench({ functions: { echo }, warming: { policy, speed: SPEED } });
  const d = deployment('echo');
  const began = b.clock.now();
  b.call(d);
  await b.pass(50);
  assert.equal(policy.asked, 1, 'it has been idle for a second of its time');
  for (const [realMs, rung] of [
    [500, 'instance'],
    [1_500, 'template'],
    [5_500, 'nothing'],
    [10_500, 'instance'],
    [11_500, 'nothing'],
  ] as const) {
    await b.pass(began + realMs - b.clock.now());
    assert.equal(held(b, d), rung, `after ${realMs} ms`);
  }
  await b.pass(began + 20_000 - b.clock.now());
  b.call(d);
  await b.pass(50);
  // The second one has waited for a boot: it is told of as of when it came.
  const [first, second] = policy.calls;
  assert.ok(Math.abs(second!.atMs - first!.atMs - 20_000 * SPEED) <= SPEED, `${second!.atMs - first!.atMs}`);
  const { instance, template } = policy.opened.at(-1)!;
  const shown = b.engine.warming(d.id)!.rungs;
  assert.ok(Math.abs(instance.savedMs - shown.instance.savedMs * SPEED) < 1e-6 && shown.template!.savedMs * SPEED === template!.savedMs);
  assert.equal(instance.memoryMiB, shown.instance.memoryMiB);
});

test('whoever waits for a boot has called when the call arrived', async () => {
  const policy = new Scripted({ 'echo:$LATEST': [[0, 'nothing']] });
  const starting = sim(() => {}, { load: (init) => (init.takes(2_000), () => (call) => call.respond('late')) });
  const b = bench({ functions: { echo: starting }, warming: { policy } });
  const began = b.clock.now();
  b.call(deployment('echo'));
  await b.pass(5_000);
  assert.deepEqual(
    policy.calls.map(({ atMs }) => atMs - began),
    [0],
  );
});

test('what a function stands for is weighed where time goes faster, and nowhere else', async () => {
  const costs = { instance: { memoryMiB: 1_000, savedMs: 7 } };
  for (const speed of [1, 10]) {
    const policy = new Scripted({ 'echo:$LATEST': [[0, 'instance']] });
    const b = bench({ functions: { echo }, warming: { policy, speed } });
    b.call(deployment('echo', { calls: { costs } }));
    await b.pass(2_000);
    const { instance, template } = policy.opened.at(-1)!;
    if (speed === 1) assert.ok(instance.memoryMiB < 1_000 && template);
    else assert.deepEqual([instance, template], [{ memoryMiB: 1_000, savedMs: 70 }, undefined]);
  }
});
