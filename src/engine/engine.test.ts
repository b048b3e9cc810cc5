import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SimFunction } from '../adapters/simulated/mod.ts';
import { bench, deployment, echo, sim, slow } from './engine.testing.ts';

/** Answers with the number of its instance, after `event.ms`. */
function numbered(): SimFunction {
  let instances = 0;
  return {
    load: () => () => {
      const number = ++instances;
      return (call) => call.after(Number(call.input()['ms'] ?? 0), () => call.respond(number));
    },
  };
}

test('the first invocation boots and forks, the next one finds the instance warm', async () => {
  const b = bench({ functions: { echo } });
  const d = deployment('echo');
  const first = b.call(d, { n: 1 });
  assert.deepEqual(first.outcomes, []);
  await b.pass(20);
  assert.equal(first.outcome().text, '{"n":1}');
  const second = b.call(d, { n: 2 });
  await b.pass(1);
  assert.equal(second.outcome().text, '{"n":2}');
  assert.equal(b.sandboxes.counts.boots, 1);
  assert.deepEqual(b.engine.stats(), [
    {
      deploymentId: d.id,
      functionName: 'echo',
      version: '$LATEST',
      idle: 1,
      busy: 0,
      queued: 0,
      invocations: 2,
      errors: 0,
      throttles: 0,
      starts: { warm: 1, fork: 0, boot: 1, spawn: 0 },
      causes: { warm: { idle: 1 }, fork: {}, boot: { 'first call': 1 }, spawn: {} },
    },
  ]);
});

test('invocations that arrive during a boot share it, and each gets an instance of its own', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow');
  const calls = Array.from({ length: 5 }, () => b.call(d, { ms: 50 }));
  assert.equal(b.engine.stats()[0]!.queued, 5);
  await b.pass(100);
  for (const call of calls) assert.equal(call.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.boots, 1);
  assert.equal(b.sandboxes.counts.mostInstances, 5);
});

test('the instance that was used last is used next, and the others grow cold and end', async () => {
  const b = bench({ functions: { numbered: numbered() }, limits: { keepAliveMs: 1_000 } });
  const d = deployment('numbered');
  const first = b.call(d, { ms: 10 });
  const second = b.call(d, { ms: 30 });
  await b.pass(60);
  assert.deepEqual([first.outcome().text, second.outcome().text], ['1', '2']);
  for (let round = 0; round < 3; round++) {
    await b.pass(400);
    const next = b.call(d);
    await b.pass(5);
    assert.equal(next.outcome().text, '2');
  }
  assert.equal(b.sandboxes.counts.instances, 1);
});

test('an idle template is kept longer than its instances, then closed, and booted again on demand', async () => {
  const b = bench({ functions: { echo }, limits: { keepAliveMs: 1_000, templateKeepAliveMs: 3_000 } });
  const d = deployment('echo');
  b.call(d);
  await b.pass(1_500);
  assert.deepEqual([b.sandboxes.counts.instances, b.sandboxes.counts.templates], [0, 1]);
  b.call(d);
  await b.pass(1_500);
  assert.deepEqual([b.sandboxes.counts.instances, b.sandboxes.counts.templates, b.sandboxes.counts.boots], [0, 1, 1]);
  await b.pass(4_000);
  assert.equal(b.sandboxes.counts.templates, 0);
  const again = b.call(d, { again: true });
  await b.pass(20);
  assert.equal(again.outcome().text, '{"again":true}');
  assert.equal(b.sandboxes.counts.boots, 2);
});

test('an instance of a concurrency above one is filled before another is forked', async () => {
  const b = bench({ functions: { numbered: numbered() } });
  const d = deployment('numbered', { spec: { concurrency: 3 } });
  const calls = Array.from({ length: 7 }, () => b.call(d, { ms: 20 }));
  await b.pass(60);
  assert.deepEqual(
    calls.map((call) => call.outcome().text),
    ['1', '1', '1', '2', '2', '2', '3'],
  );
  assert.deepEqual([b.engine.stats()[0]!.idle, b.engine.stats()[0]!.busy], [3, 0]);
});

test('a template whose init cannot be shared boots each instance, and says so once', async () => {
  const blockers = [{ kind: 'socket', detail: 'TCP to 10.0.0.1:5432', place: 'index.js:3:1' }];
  const b = bench({ functions: { open: sim((call) => call.respond(1), { blockers }) } });
  const d = deployment('open');
  assert.equal(b.engine.snapshot(d.id), undefined);
  assert.deepEqual(await prepared(b, d), { ok: true, initMs: 1, blockers });
  assert.deepEqual(b.engine.snapshot(d.id), { forks: false, blockers });
  b.call(d);
  b.call(d);
  await b.pass(30);
  assert.equal(b.engine.stats()[0]!.starts.boot, 2);
  assert.deepEqual(
    b.lines.filter(({ level }) => level === 'WARN').map(({ text }) => text),
    [
      'Each instance runs init by itself, because init leaves open what a fork does not have: ' +
        'socket (TCP to 10.0.0.1:5432) at index.js:3:1. See docs/snapshots.md.',
    ],
  );
});

test('a setting decides whether instances are forked, whatever init left open', async () => {
  const blockers = [{ kind: 'timer', detail: 'every 5 ms' }];
  const functions = { open: sim((call) => call.respond(1), { blockers }), closed: sim((call) => call.respond(1)) };
  const b = bench({ functions });
  const [always, never] = [deployment('open', { spec: { snapshot: 'always' } }), deployment('closed', { spec: { snapshot: 'never' } })];
  for (const each of [always, never]) {
    await prepared(b, each);
    b.call(each);
  }
  await b.pass(30);
  assert.deepEqual(
    b.engine.stats().map(({ starts }) => [starts.fork, starts.boot]),
    [
      [1, 0],
      [0, 1],
    ],
  );
  assert.match(
    b.lines.find(({ level }) => level === 'WARN')!.text,
    /^Instances are forked, as SnapStart says, though .*: timer \(every 5 ms\)\./,
  );
});

test('prepare boots ahead of the first invocation, once, and tells how init went', async () => {
  const b = bench({ functions: { echo, broken: { load: () => assert.fail('no database') } } });
  const d = deployment('echo');
  const [first, second] = await Promise.all([prepared(b, d), b.engine.prepare(d)]);
  assert.deepEqual(first, { ok: true, initMs: 1, blockers: [] });
  assert.deepEqual(second, first);
  assert.equal(b.sandboxes.counts.boots, 1);
  assert.deepEqual(await prepared(b, deployment('broken')), {
    ok: false,
    error: { errorType: 'AssertionError', errorMessage: 'no database', stackTrace: ['AssertionError: no database'] },
  });
});

test('a retired deployment finishes what it has taken and leaves nothing behind', async () => {
  const b = bench({ functions: { slow } });
  const old = deployment('slow', { maxInstances: 1 });
  const running = b.call(old, { ms: 100 });
  await b.pass(10);
  const waiting = b.call(old, { ms: 100 });
  const fresh = deployment('slow');
  void b.engine.retire('slow', new Set([fresh.id]));
  void b.engine.retire('other');
  await b.pass(300);
  assert.equal(running.outcome().kind, 'answered');
  assert.equal(waiting.outcome().kind, 'answered');
  assert.deepEqual([b.sandboxes.counts.instances, b.sandboxes.counts.templates], [0, 0]);
  assert.deepEqual(b.engine.stats(), []);
});

test('retiring ends idle instances at once and leaves the deployment to keep alone', async () => {
  const b = bench({ functions: { echo } });
  const old = deployment('echo');
  const kept = deployment('echo');
  b.call(old);
  b.call(kept);
  await b.pass(20);
  assert.equal(b.sandboxes.counts.instances, 2);
  void b.engine.retire('echo', new Set([kept.id]));
  assert.equal(b.sandboxes.counts.instances, 1);
  assert.deepEqual(
    b.engine.stats().map((stats) => stats.deploymentId),
    [kept.id],
  );
});

test('draining lets what was taken finish, takes nothing new, and ends every sandbox', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { maxInstances: 1 });
  const running = b.call(d, { ms: 100 });
  const waiting = b.call(d, { ms: 100 });
  await b.pass(10);
  const drained = b.engine.drain(5_000);
  assert.equal(b.engine.drain(1), drained);
  const late = b.call(d, { ms: 1 });
  await b.pass(300);
  await drained;
  assert.equal(running.outcome().kind, 'answered');
  assert.equal(waiting.outcome().kind, 'answered');
  assert.deepEqual(refusal(late.outcome()), 'ShuttingDown');
  assert.equal((await b.engine.prepare(d)).ok, false);
  assert.deepEqual([b.sandboxes.counts.instances, b.sandboxes.counts.templates], [0, 0]);
});

test('a drain whose time is up cuts off what runs and refuses what waits', async () => {
  const b = bench({ functions: { slow, stuck: sim((call) => call.streamHead({ contentType: 'text/plain' })) } });
  const running = b.call(deployment('slow', { timeoutMs: 900_000 }), { ms: 600_000 });
  const streaming = b.call(deployment('stuck', { timeoutMs: 900_000 }), {}, { listener: { streamChunk() {} } });
  const full = deployment('slow', { maxInstances: 1, timeoutMs: 900_000 });
  b.call(full, { ms: 600_000 });
  const waiting = b.call(full, { ms: 1 });
  await b.pass(20);
  const drained = b.engine.drain(1_000);
  await b.pass(1_100);
  await drained;
  assert.equal(refusal(running.outcome()), 'ShuttingDown');
  assert.equal(refusal(waiting.outcome()), 'ShuttingDown');
  assert.deepEqual(streaming.outcome(), {
    kind: 'streamed',
    error: {
      errorType: 'ShuttingDown',
      errorMessage: 'this node is shutting down; the invocation was ended before the function answered. Try another node, or again later',
    },
  });
  assert.deepEqual([b.sandboxes.counts.instances, b.sandboxes.counts.templates], [0, 0]);
});

test('a template that is lost is booted again, and its instances live on', async () => {
  const b = bench({ functions: { numbered: numbered() }, sandboxes: { faults: { templateDies: 1 } } });
  const d = deployment('numbered');
  b.call(d, { ms: 50 });
  await b.pass(20);
  const second = b.call(d, { ms: 50 });
  await b.pass(100);
  assert.equal(second.outcome().text, '2');
  assert.equal(b.sandboxes.counts.boots, 2);
});

async function prepared(b: ReturnType<typeof bench>, d: ReturnType<typeof deployment>) {
  const result = b.engine.prepare(d);
  await b.pass(20);
  return result;
}

const refusal = (outcome: { readonly kind: string; readonly code?: string }) => (outcome.kind === 'refused' ? outcome.code : outcome.kind);
