import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { manualClock } from '../../kernel/mod.ts';
import type { Exit, InvocationEnd } from '../../ports/mod.ts';
import { FRAME, encodeFrame } from '../../protocol/mod.ts';
import type { FrameKind, InvokeHead } from '../../protocol/mod.ts';
import { machineMs } from '../../../runtimes/ladder/steps.ts';
import { INSTANCE_STEPS, LinkedInstance, Steps, awaitReady, closedLink, linkSocket } from './mod.ts';

/** Both ends of a Unix socket. */
async function pair(t: TestContext): Promise<[Socket, Socket]> {
  const directory = temporaryDirectory(t);
  const server = createServer().listen(join(directory, 'socket'));
  await once(server, 'listening');
  closeAfter(t, () => server.close());
  const near = connect(join(directory, 'socket'));
  closeAfter(t, () => near.destroy());
  const [far] = (await once(server, 'connection')) as [Socket];
  closeAfter(t, () => far.destroy());
  return [near, far];
}

async function connected(t: TestContext, options: { reportsExit?: boolean; booting?: boolean } = {}) {
  const [near, far] = await pair(t);
  const clock = manualClock();
  let ends = 0;
  const instance = new LinkedInstance({
    link: linkSocket(near),
    start: 'fork',
    clock,
    end: () => void ends++,
    reportsExit: false,
    ...options,
  });
  return { instance, far, clock, ends: () => ends };
}

const head: InvokeHead = { id: 'id', deadlineMs: 1, arn: 'arn' };
const memory = Buffer.from([1, 0, 0, 0]);
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

function invoke(instance: LinkedInstance): { end: Promise<InvocationEnd>; logs: string[] } {
  const { promise, resolve } = Promise.withResolvers<InvocationEnd>();
  const logs: string[] = [];
  let ended = false;
  instance.invoke(head, Buffer.from('{}'), {
    log: (text) => logs.push(text),
    streamHead() {},
    streamChunk() {},
    end(end) {
      assert.ok(!ended, 'an invocation ended twice');
      ended = true;
      resolve(end.kind === 'answered' ? { ...end, payload: Buffer.from(end.payload) } : end);
    },
  });
  return { end: promise, logs };
}

test('an answer, an error and a log line reach their invocation', async (t) => {
  const { instance, far } = await connected(t);
  const first = invoke(instance);
  const second = invoke(instance);
  assert.equal(instance.oldest, 1);
  far.write(encodeFrame(FRAME.log, 2, Buffer.from([3]), Buffer.from('careful')));
  far.write(encodeFrame(FRAME.error, 2, memory, json({ errorType: 'E', errorMessage: 'm', stackTrace: ['a', 1] })));
  far.write(encodeFrame(FRAME.response, 1, memory, json({ a: 1 })));
  assert.deepEqual(await first.end, { kind: 'answered', payload: json({ a: 1 }), memoryKiB: 1 });
  assert.deepEqual(await second.end, { kind: 'failed', error: { errorType: 'E', errorMessage: 'm', stackTrace: ['a'] }, memoryKiB: 1 });
  assert.deepEqual(second.logs, ['careful']);
  assert.equal(instance.oldest, undefined);
});

const goesOn = encodeFrame(FRAME.goesOn, 1);
const answer = encodeFrame(FRAME.response, 1, memory, json('early'));

test('an invocation that goes on is running until it is over', async (t) => {
  const { instance, far } = await connected(t);
  const heard: string[] = [];
  const { promise, resolve } = Promise.withResolvers<InvocationEnd>();
  instance.invoke(head, Buffer.from('{}'), {
    log: (text) => heard.push(text),
    streamHead() {},
    streamChunk() {},
    answered: (early) => heard.push(early.kind === 'answered' ? early.payload.toString() : early.kind),
    end: resolve,
  });
  far.write(Buffer.concat([goesOn, answer, encodeFrame(FRAME.log, 1, Buffer.from([2]), Buffer.from('later'))]));
  const second = invoke(instance);
  far.write(encodeFrame(FRAME.response, 2, memory, json('second')));
  assert.equal((await second.end).kind, 'answered');
  assert.deepEqual(heard, ['"early"', 'later']);
  assert.equal(instance.oldest, 1);
  far.write(encodeFrame(FRAME.over, 1, memory));
  assert.deepEqual(await promise, { kind: 'over', memoryKiB: 1 });
  assert.equal(instance.oldest, undefined);
});

test('whoever hears only of ends gets the answer of one that goes on as its end', async (t) => {
  const { instance, far } = await connected(t);
  const { end } = invoke(instance);
  far.write(Buffer.concat([goesOn, answer]));
  far.write(Buffer.concat([encodeFrame(FRAME.log, 1, Buffer.from([2]), Buffer.from('x')), encodeFrame(FRAME.over, 1, memory)]));
  assert.deepEqual(await end, { kind: 'answered', payload: json('early'), memoryKiB: 1 });
});

const violations: readonly (readonly [string, (far: Socket) => void])[] = [
  ['an answer to an invocation that is not running', (far) => far.write(encodeFrame(FRAME.response, 9, memory))],
  ['two answers', (far) => [0, 1].forEach(() => far.write(encodeFrame(FRAME.streamEnd, 1, memory)))],
  ['an answer that is too short', (far) => far.write(encodeFrame(FRAME.response, 1, Buffer.alloc(3)))],
  ['a chunk without a beginning', (far) => far.write(encodeFrame(FRAME.streamChunk, 1, Buffer.alloc(3)))],
  [
    'an answer after the beginning of a stream',
    (far) => far.write(Buffer.concat([encodeFrame(FRAME.streamHead, 1, json({})), encodeFrame(FRAME.response, 1, memory)])),
  ],
  ['going on twice', (far) => [0, 1].forEach(() => far.write(encodeFrame(FRAME.goesOn, 1)))],
  ['an end without an answer', (far) => far.write(Buffer.concat([encodeFrame(FRAME.goesOn, 1), encodeFrame(FRAME.over, 1, memory)]))],
  ['two answers of one that goes on', (far) => far.write(Buffer.concat([goesOn, answer, answer]))],
  [
    'a stream after the answer of one that goes on',
    (far) => far.write(Buffer.concat([goesOn, answer, encodeFrame(FRAME.streamHead, 1, json({}))])),
  ],
  ['an error that is not JSON', (far) => far.write(encodeFrame(FRAME.error, 1, memory, Buffer.from('{')))],
  ['a log line of no known level', (far) => far.write(encodeFrame(FRAME.log, 1, Buffer.from([200, 65])))],
  ['a log line about an invocation that is not running', (far) => far.write(encodeFrame(FRAME.log, 5, Buffer.from([1, 65])))],
  ['a second ready', (far) => far.write(encodeFrame(FRAME.ready, 0, json({})))],
  ['an invocation', (far) => far.write(encodeFrame(FRAME.invoke, 1))],
  ['an unknown kind', (far) => far.write(encodeFrame(0x77 as FrameKind, 1))],
  ['a frame over the limit', (far) => far.write(Buffer.from([255, 255, 255, 255, FRAME.log, 0, 0, 0, 0]))],
];

for (const [name, violate] of violations) {
  test(`${name} ends the instance`, async (t) => {
    const { instance, far, ends } = await connected(t);
    const { end } = invoke(instance);
    violate(far);
    const died = (await end) as { kind: string; exit: Exit };
    assert.deepEqual([died.kind, died.exit.kind], ['died', 'violated']);
    assert.equal((await instance.closed).kind, 'violated');
    assert.equal(ends(), 1);
    assert.equal((await invoke(instance).end).kind, 'died');
  });
}

test('an answer and its violation in one packet: the answer counts, then the instance ends', async (t) => {
  const { instance, far } = await connected(t);
  const { end } = invoke(instance);
  far.write(Buffer.concat([encodeFrame(FRAME.response, 1, memory, json(1)), encodeFrame(FRAME.response, 1, memory, json(2))]));
  assert.equal((await end).kind, 'answered');
  assert.equal((await instance.closed).kind, 'violated');
});

test('a kill ends running invocations, never from within the call', async (t) => {
  const { instance, ends } = await connected(t);
  let ended = false;
  const { end } = invoke(instance);
  void end.then(() => (ended = true));
  instance.kill();
  instance.kill();
  assert.equal(ended, false);
  assert.deepEqual(await end, { kind: 'died', exit: { kind: 'ended' } });
  assert.deepEqual(await instance.closed, { kind: 'ended' });
  assert.equal(ends(), 1);
});

test('the announced exit code is what a closing link means', async (t) => {
  const { instance, far } = await connected(t);
  const { end } = invoke(instance);
  far.end(encodeFrame(FRAME.exit, 0, json({ code: 3 })));
  assert.deepEqual(await end, { kind: 'died', exit: { kind: 'exited', code: 3 } });
  assert.deepEqual(await instance.closed, { kind: 'exited', code: 3 });
});

test("the driver's report is awaited, and what the process sent at last is heard before", async (t) => {
  const { instance, far } = await connected(t, { reportsExit: true });
  const first = invoke(instance);
  const second = invoke(instance);
  instance.reportExit({ kind: 'signalled', signal: 'SIGSEGV' });
  far.end(encodeFrame(FRAME.response, 1, memory, json('last')));
  assert.equal((await first.end).kind, 'answered');
  assert.deepEqual(await second.end, { kind: 'died', exit: { kind: 'signalled', signal: 'SIGSEGV' } });
  assert.deepEqual(await instance.closed, { kind: 'signalled', signal: 'SIGSEGV' });
});

test('a report that comes long after the link has closed is the one that counts, and who kills it waits for none', async (t) => {
  const { instance, far, clock } = await connected(t, { reportsExit: true });
  const { end } = invoke(instance);
  far.destroy();
  while (instance.alive) await new Promise(setImmediate);
  clock.advance(10_000);
  instance.reportExit({ kind: 'outOfMemory' });
  assert.deepEqual(await end, { kind: 'died', exit: { kind: 'outOfMemory' } });
  const another = await connected(t, { reportsExit: true });
  const killed = invoke(another.instance);
  another.far.destroy();
  while (another.instance.alive) await new Promise(setImmediate);
  another.instance.kill();
  assert.deepEqual(await killed.end, { kind: 'died', exit: { kind: 'ended' } });
});

test('without a report the end is not awaited for ever', async (t) => {
  const { instance, far, clock } = await connected(t, { reportsExit: true });
  const { end } = invoke(instance);
  far.destroy();
  while (instance.alive) await new Promise(setImmediate);
  clock.advance(20_000);
  clock.advance(20_000);
  assert.deepEqual(await end, { kind: 'died', exit: { kind: 'ended' } });
  assert.deepEqual(await instance.closed, { kind: 'ended' });
});

test('a process that never was is an instance that ends', async () => {
  const instance = new LinkedInstance({ link: closedLink(), start: 'spawn', clock: manualClock(), end() {}, reportsExit: false });
  assert.deepEqual(await invoke(instance).end, { kind: 'died', exit: { kind: 'ended' } });
  assert.deepEqual(await instance.closed, { kind: 'ended' });
});

test('the boot handshake ends in ready, failed, exited or timedOut', async (t) => {
  const boot = async (frames: readonly Buffer[], close = false) => {
    const [near, far] = await pair(t);
    const clock = manualClock();
    const logs: string[] = [];
    const outcome = awaitReady({ link: linkSocket(near), initTimeoutMs: 100, clock, listener: { log: (text) => logs.push(text) } });
    for (const frame of frames) far.write(frame);
    if (close) far.end();
    else if (frames.length === 0) clock.advance(100);
    return { outcome: await outcome, logs };
  };
  const log = encodeFrame(FRAME.log, 0, Buffer.from([2]), Buffer.from('init'));
  const ready = await boot([
    log,
    encodeFrame(
      FRAME.ready,
      0,
      json({ initMs: 5, streaming: true, blockers: [{ kind: 'timer', detail: 'x' }], before: [1, 'x'], times: 7 }),
    ),
  ]);
  assert.deepEqual(ready, {
    outcome: {
      kind: 'ready',
      payload: { initMs: 5, streaming: true, blockers: [{ kind: 'timer', detail: 'x' }], before: [1, 'x'], times: [] },
    },
    logs: ['init'],
  });
  assert.deepEqual((await boot([encodeFrame(FRAME.initError, 0, json({ errorType: 'E', errorMessage: 'm' }))])).outcome, {
    kind: 'failed',
    error: { errorType: 'E', errorMessage: 'm' },
    initMs: 0,
  });
  assert.deepEqual((await boot([encodeFrame(FRAME.exit, 0, json({ code: 2 }))], true)).outcome, {
    kind: 'exited',
    exit: { kind: 'exited', code: 2 },
    initMs: 0,
  });
  assert.deepEqual((await boot([], true)).outcome, { kind: 'exited', exit: { kind: 'ended' }, initMs: 0 });
  assert.deepEqual((await boot([])).outcome, { kind: 'timedOut', initMs: 100 });
  const wrong = (await boot([encodeFrame(FRAME.response, 1, memory)])).outcome as { exit?: Exit };
  assert.equal(wrong.exit?.kind, 'violated');
});

test('what an instance tells of its beginning is held to what can be true', async (t) => {
  const { instance, far, clock } = await connected(t);
  const told = machineMs();
  clock.advance(50);
  instance.steps.add('fork ordered');
  clock.advance(10);
  const first = invoke(instance);
  // Long ago, none, nonsense, before the one before it, and far ahead.
  far.write(encodeFrame(FRAME.steps, 0, json([1, 0, 'now', told / 2, told + 1e9, 5, 6, 7])));
  far.write(encodeFrame(FRAME.response, 1, memory, json(1)));
  await first.end;
  assert.deepEqual(instance.takeSteps(), [
    { name: 'fork begun', atMs: 0 },
    { name: 'event read', atMs: 0 },
    { name: 'fork ordered', atMs: 50 },
    { name: 'answered', atMs: 60 },
  ]);
  const again = invoke(instance);
  far.write(encodeFrame(FRAME.steps, 0, json([1])));
  assert.deepEqual(await again.end, {
    kind: 'died',
    exit: { kind: 'violated', message: 'an instance told twice how it came to be' },
  });
});

test('times that are no times, or too many, break nothing or end the link', async (t) => {
  for (const [payload, kept] of [
    [json({ a: 1 }), true],
    [Buffer.from('nonsense'), true],
    [json(Array.from({ length: 100 }, () => 1)), true],
    [json('x'.repeat(2_000)), false],
  ] as const) {
    const { instance, far } = await connected(t);
    const { end } = invoke(instance);
    far.write(encodeFrame(FRAME.steps, 0, payload));
    far.write(encodeFrame(FRAME.response, 1, memory, json(1)));
    assert.equal((await end).kind, kept ? 'answered' : 'died');
    assert.ok(instance.takeSteps().length <= INSTANCE_STEPS.length);
  }
});

test('steps told of what was done ahead can be left out, and each has its place among those of the host', () => {
  const clock = manualClock();
  clock.advance(1_000);
  const nowMs = machineMs();
  const steps = new Steps(clock);
  const takenMs = steps.add('taken');
  // So long that what goes by in this test is nothing beside it.
  clock.advance(10_000);
  steps.add('heard');
  steps.addTold(['long ago', 'just before', 'after'], [nowMs - 15_000, nowMs - 10_001, nowMs - 1_000], takenMs, true);
  const taken = steps.take();
  assert.deepEqual(
    taken.map(({ name }) => name),
    ['taken', 'after', 'heard'],
  );
  steps.add('late');
  assert.deepEqual(steps.take(), []);
});
