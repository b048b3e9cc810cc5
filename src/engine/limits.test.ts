import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../kernel/mod.ts';
import { bench, deployment, echo, slow } from './engine.testing.ts';

const throttled = (reason: string) => ({ kind: 'refused', code: 'TooManyRequestsException', message: 'Rate Exceeded.', reason });
const RESERVED = throttled('ReservedFunctionConcurrentInvocationLimitExceeded');
const ACCOUNT = throttled('ConcurrentInvocationLimitExceeded');

test('a function at its own limit queues, up to the bound, then throttles', async () => {
  const b = bench({ functions: { slow }, limits: { queueDepth: 2 } });
  const d = deployment('slow', { maxInstances: 1 });
  const calls = [b.call(d, { ms: 100 })];
  await b.pass(10);
  calls.push(b.call(d, { ms: 100 }), b.call(d, { ms: 100 }), b.call(d, { ms: 100 }));
  assert.equal(b.engine.stats()[0]!.queued, 2);
  await b.pass(5);
  assert.deepEqual(calls[3]!.outcome(), RESERVED);
  await b.pass(500);
  for (const call of calls.slice(0, 3)) assert.equal(call.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.mostInstances, 1);
  assert.equal(b.engine.stats()[0]!.throttles, 1);
});

test('nobody waits longer than the queue allows', async () => {
  const b = bench({ functions: { slow }, limits: { queueAgeMs: 1_000 } });
  const d = deployment('slow', { maxInstances: 1, timeoutMs: 60_000 });
  b.call(d, { ms: 50_000 });
  await b.pass(10);
  const waiting = b.call(d, { ms: 1 });
  await b.pass(990);
  assert.deepEqual(waiting.outcomes, []);
  await b.pass(15);
  assert.deepEqual(waiting.outcome(), RESERVED);
  assert.equal(b.engine.stats()[0]!.queued, 0);
});

test('a function whose limit is zero is refused at once', async () => {
  const b = bench({ functions: { echo } });
  const call = b.call(deployment('echo', { maxInstances: 0 }));
  await b.pass(1);
  assert.deepEqual(call.outcome(), RESERVED);
  assert.equal(b.sandboxes.counts.boots, 0);
});

test('the limit of the account holds over all functions, and those who wait for it take turns', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 2, queueDepth: 8 } });
  const [busy, other] = [deployment('slow'), deployment('slow')];
  const order: string[] = [];
  const call = (d: typeof busy, name: string) => b.call(d, { ms: 100 }, { listener: { end: () => void order.push(name) } });
  for (let n = 0; n < 8; n++) call(busy, 'busy');
  await b.pass(10);
  call(other, 'other');
  await b.pass(1_000);
  assert.equal(order.length, 9);
  // Its turn comes as soon as its template is there, not after all that waited in the busy function's queue.
  assert.ok(order.indexOf('other') <= 5, order.join(' '));
  assert.ok(b.sandboxes.counts.mostInstances <= 3);
});

test('a queue that is full because of the account says so', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 1, queueDepth: 1 } });
  const d = deployment('slow');
  b.call(d, { ms: 100 });
  await b.pass(10);
  b.call(d, { ms: 100 });
  const third = b.call(d, { ms: 100 });
  await b.pass(1);
  assert.deepEqual(third.outcome(), ACCOUNT);
});

test('when all instances are taken, the longest idle one of another function makes room', async () => {
  const b = bench({ functions: { slow }, limits: { maxInstancesTotal: 2 } });
  const [first, second, third] = [deployment('slow'), deployment('slow'), deployment('slow')];
  b.call(first, { ms: 1 });
  await b.pass(20);
  b.call(second, { ms: 1 });
  await b.pass(20);
  const call = b.call(third, { ms: 1 });
  await b.pass(20);
  assert.equal(call.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.mostInstances, 2);
  assert.deepEqual(
    b.engine.stats().map((stats) => stats.idle),
    [0, 1, 1],
  );
});

test('when all instances are busy, the next invocation waits until one of any function is idle', async () => {
  const b = bench({ functions: { slow }, limits: { maxInstancesTotal: 1 } });
  const first = b.call(deployment('slow'), { ms: 100 });
  await b.pass(20);
  const second = b.call(deployment('slow'), { ms: 10 });
  await b.pass(50);
  assert.deepEqual(second.outcomes, []);
  await b.pass(100);
  assert.equal(first.outcome().kind, 'answered');
  assert.equal(second.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.mostInstances, 1);
});

test('unused templates make room for others', async () => {
  const b = bench({ functions: { echo }, limits: { maxTemplates: 2, keepAliveMs: 50 } });
  for (let n = 0; n < 5; n++) {
    b.call(deployment('echo'));
    await b.pass(100);
  }
  assert.equal(b.sandboxes.counts.templates, 2);
});

test('an event over the limit is refused as Lambda refuses it', async () => {
  const b = bench({ functions: { echo } });
  const d = deployment('echo');
  const call = b.call(d, {}, { event: Buffer.alloc(LIMITS.payloadBytes + 1, 32) });
  await b.pass(1);
  assert.deepEqual(call.outcome(), {
    kind: 'refused',
    code: 'RequestTooLargeException',
    message: 'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
  });
});
