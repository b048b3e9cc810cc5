/** An environment's phases and budgets, by a clock that stands still; extensions are clients of its API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { manualClock, systemRandom } from '../../kernel/mod.ts';
import { Environment, WIND_DOWN_MS } from './environment.ts';
import { refuseUnknown } from './reply.ts';
import { listenForProcesses } from './server.ts';

async function open(
  t: TestContext,
  external: readonly string[],
  more: { readonly standsStill?: boolean; readonly concurrency?: number } = {},
) {
  const clock = manualClock();
  const orders: string[] = [];
  const log: string[] = [];
  const environment = new Environment({
    clock,
    uuid: () => systemRandom.uuid(),
    facts: {
      ...{ functionName: 'tested', functionVersion: '1', handler: 'x', accountId: '123456789012', memoryMiB: 128 },
      ...{ concurrency: more.concurrency ?? 1, initializationType: 'on-demand', json: false },
    },
    external,
    port: () => 9001,
    standsStill: more.standsStill ?? false,
    windDown: WIND_DOWN_MS,
    processes: {
      startRuntime: () => void orders.push('start'),
      freeze: (frozen) => void orders.push(frozen ? 'freeze' : 'thaw'),
      signalRuntime: (signal) => void orders.push(signal),
      connect: () => Promise.reject(new Error('nobody listens')),
    },
  });
  environment.onLog = (text) => void log.push(text);
  const { address, port, close } = await listenForProcesses(
    (request, response) => environment.handle(request, response) || refuseUnknown(response),
  );
  closeAfter(t, close);
  const base = `http://${address}:${port}/2020-01-01/extension/`;
  return {
    ...{ clock, orders, log, environment },
    async register(name: string, events: readonly string[] = ['INVOKE', 'SHUTDOWN']) {
      const registered = await fetch(`${base}register`, {
        method: 'POST',
        headers: { 'Lambda-Extension-Name': name },
        body: JSON.stringify({ events }),
      });
      const id = registered.headers.get('lambda-extension-identifier') ?? '';
      const headers = { 'Lambda-Extension-Identifier': id, 'Lambda-Extension-Function-Error-Type': 'Own.Type' };
      return {
        status: registered.status,
        body: (await registered.json()) as Record<string, string>,
        /** Nothing where the connection breaks off: the test is over. */
        next: async (): Promise<Record<string, unknown>> => {
          const answer = await fetch(`${base}event/next`, { headers }).catch(() => undefined);
          return answer ? ((await answer.json()) as Record<string, unknown>) : {};
        },
        fails: async (path: string) => (await fetch(`${base}${path}`, { method: 'POST', headers, body: '{}' })).status,
      };
    },
  };
}

const head = { id: 'id', deadlineMs: 1, arn: 'arn' };
const turn = () => new Promise(setImmediate);
const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let done = false;
  void promise.then(() => (done = true));
  await turn();
  return done;
};

test('the runtime begins when all external extensions have registered, and init is done when all have asked', async (t) => {
  const { environment, orders, register, log } = await open(t, ['a', 'b']);
  const a = await register('a');
  assert.deepEqual(orders, []);
  const b = await register('b', []);
  assert.deepEqual(orders, ['start']);
  environment.runtimeWaits(true);
  const inA = a.next();
  assert.equal(await settled(environment.initialised), false);
  void b.next();
  await environment.initialised;
  assert.equal(environment.ready, true);
  assert.deepEqual(log, ['EXTENSION\tName: a\tState: Ready\tEvents: [INVOKE, SHUTDOWN]', 'EXTENSION\tName: b\tState: Ready\tEvents: []']);
  environment.begin(head);
  assert.equal((await inA)['eventType'], 'INVOKE');
  // Only the one that has got something must ask again.
  environment.runtimeWaits(true);
  assert.equal(environment.ready, false);
  const ready = new Promise<void>((resolve) => (environment.onReady = resolve));
  void a.next();
  await ready;
  assert.equal(environment.ready, true);
  environment.close();
});

test('what waits stands still after a moment, unless the next comes before', async (t) => {
  const { environment, orders, clock } = await open(t, []);
  environment.runtimeWaits(true);
  clock.advance(4);
  environment.begin(head);
  environment.runtimeWaits(true);
  clock.advance(5);
  assert.deepEqual(orders, ['freeze']);
  environment.begin(head);
  assert.deepEqual(orders, ['freeze', 'thaw']);
  environment.close();
});

test('a runtime that does not end when it is told to is ended after 300 ms, and extensions that do not after 2,000 ms', async (t) => {
  const { environment, orders, clock, register } = await open(t, ['a']);
  const a = await register('a');
  const event = a.next();
  environment.runtimeWaits(true);
  await environment.initialised;
  clock.advance(5);
  assert.equal(environment.windDownMs, 2_000);
  const down = environment.windDown(true);
  await turn();
  assert.deepEqual(orders, ['start', 'freeze', 'thaw', 'SIGTERM']);
  clock.advance(299);
  await turn();
  assert.equal(orders.length, 4);
  clock.advance(1);
  await turn();
  assert.deepEqual(orders.slice(4), ['SIGKILL']);
  assert.deepEqual(await event, { eventType: 'SHUTDOWN', shutdownReason: 'spindown', deadlineMs: clock.now() + 1_700 });
  clock.advance(1_699);
  assert.equal(await settled(down), false);
  clock.advance(1);
  await down;
});

test('it is over as soon as the runtime and all who were told have ended', async (t) => {
  const { environment, clock, orders, register } = await open(t, ['a', 'b']);
  const [a, b] = [await register('a'), await register('b', ['INVOKE'])];
  const events = [a.next(), b.next()];
  environment.runtimeWaits(true);
  await environment.initialised;
  environment.because('timeout');
  const down = environment.windDown(true);
  await turn();
  environment.runtimeEnded();
  assert.equal((await events[0]!)['shutdownReason'], 'timeout');
  assert.equal(await settled(down), false);
  // It was not told: nobody waits for it.
  environment.extensionEnded('a', { kind: 'exited', code: 0 });
  await down;
  assert.ok(!orders.includes('SIGKILL'));
  assert.equal(clock.monotonicMs(), 0);
});

test("an environment with internal extensions has 500 ms, all of them the runtime's, and one without none", async (t) => {
  const { environment, orders, clock, register } = await open(t, []);
  assert.equal(environment.windDownMs, 0);
  const inner = await register('inner', ['INVOKE']);
  void inner.next();
  environment.runtimeWaits(true);
  await environment.initialised;
  assert.equal(environment.windDownMs, 500);
  const down = environment.windDown(true);
  await turn();
  clock.advance(499);
  assert.equal(await settled(down), false);
  clock.advance(1);
  await down;
  assert.deepEqual(orders, ['SIGTERM', 'SIGKILL']);
  environment.close();
});

test('one that has said that it fails may do nothing more, and its environment is of no use', async (t) => {
  const { environment, register } = await open(t, ['a']);
  const a = await register('a');
  assert.equal(await a.fails('init/error'), 202);
  assert.deepEqual(await environment.failure, { errorType: 'Extension.InitError', errorMessage: 'extension a: Own.Type' });
  assert.equal((await a.next())['errorType'], 'Extension.InvalidExtensionState');
  assert.equal(await a.fails('exit/error'), 403);
  assert.equal((await register('a')).body['errorType'], 'Extension.InvalidExtensionState');
  environment.close();
});

test('with several invocations at a time each is told, in order, and none waits for extensions that keep up', async (t) => {
  const { environment, register, orders, clock } = await open(t, ['a', 'b'], { concurrency: 2, standsStill: true });
  const a = await register('a');
  const b = await register('b', ['SHUTDOWN']);
  void b.next();
  const first = a.next();
  environment.runtimeWaits(true);
  await environment.initialised;
  const begin = (id: string) => environment.begin({ ...head, id });
  begin('1');
  assert.equal((await first)['requestId'], '1');
  for (const id of ['2', '3']) {
    assert.equal(environment.ready, true);
    begin(id);
  }
  // Two that it has not asked for: so many may run.
  assert.equal(environment.ready, false);
  const room = new Promise<void>((resolve) => (environment.onRoom = resolve));
  assert.equal((await a.next())['requestId'], '2');
  await room;
  assert.equal(environment.ready, true);
  environment.runtimeWaits(true);
  assert.equal((await a.next())['requestId'], '3');
  clock.advance(100);
  assert.deepEqual(orders, ['start']);
  const ready = new Promise<void>((resolve) => (environment.onReady = resolve));
  void a.next();
  await ready;
  clock.advance(100);
  assert.deepEqual(orders, ['start', 'freeze']);
  environment.close();
});

test('no internal extension registers after init', async (t) => {
  const { environment, register } = await open(t, []);
  environment.runtimeWaits(true);
  assert.equal((await register('late', [])).body['errorType'], 'Extension.RegistrationClosed');
  environment.close();
});
