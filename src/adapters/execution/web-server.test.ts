import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { manualClock } from '../../kernel/mod.ts';
import { parseWeb } from '../../protocol/mod.ts';
import { connectHere } from './connect-here.ts';
import { WebServer } from './web-server.ts';

const HEAD = { id: 'a', deadlineMs: 0, arn: 'arn' };

/** A server that is reached from when `up` is called, and what the host hears. */
async function begin(t: TestContext, variables: Readonly<Record<string, string>> = {}) {
  const server = createServer((_, response) => act(response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  closeAfter(t, () => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  const clock = manualClock();
  /** What it waits for, or has waited. */
  const waits: number[] = [];
  const heard: unknown[] = [];
  let isUp = false;
  let act = (response: ServerResponse) => void response.end('"answer"');
  let asked = Promise.withResolvers<void>();
  const web = new WebServer({
    web: parseWeb({ HEARTH_WEB_PORT: String(port), ...variables })!,
    clock: {
      ...clock,
      after(ms, run) {
        waits.push(ms);
        return clock.after(ms, run);
      },
    },
    async connect(to) {
      asked.resolve();
      if (!isUp) throw new Error('nobody listens');
      return await connectHere(to);
    },
    listener: {
      ready: () => heard.push('ready'),
      initFailed: (error) => heard.push(error),
      waits: (waiting) => heard.push(waiting ? 'waits' : 'works'),
    },
  });
  closeAfter(t, () => web.close());
  web.begin();
  return {
    web,
    heard,
    clock,
    up: () => void (isUp = true),
    /** From now on it closes the connection instead of answering, and stays or not. */
    hangUp(stays: boolean) {
      act = (response) => {
        isUp = stays;
        response.destroy();
      };
    },
    waits,
    /** The next look at the server is under way. */
    async look(ms = 10) {
      await asked.promise;
      asked = Promise.withResolvers<void>();
      // What has been heard of the last look sets the timer for this one.
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(ms);
      await asked.promise;
    },
    invoke: () =>
      new Promise((resolve) => {
        const listener = {
          answered: (payload: Buffer) => resolve(payload.toString()),
          failed: resolve,
          streamHead() {},
          streamChunk() {},
          streamEnd() {},
          flow() {},
        };
        web.invoke({ head: HEAD, event: '{}', listener });
      }),
  };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

test('a server is asked until it answers, and then waits for events', async (t) => {
  const { heard, look, up, invoke } = await begin(t);
  await look();
  await look();
  assert.deepEqual(heard, []);
  up();
  await look();
  await until(() => heard.length === 2);
  assert.deepEqual(heard, ['ready', 'waits']);
  assert.equal(await invoke(), '"answer"');
  await until(() => heard.length === 4);
  assert.deepEqual(heard, ['ready', 'waits', 'works', 'waits']);
});

test('with AWS_LWA_ASYNC_INIT a slow server goes on with its init in the first invocation', async (t) => {
  const { heard, look, up, clock, invoke } = await begin(t, { AWS_LWA_ASYNC_INIT: 'true' });
  await look(9_789);
  assert.deepEqual(heard, []);
  await look(11);
  assert.deepEqual(heard, ['ready', 'waits']);
  const answered = invoke();
  assert.deepEqual(heard, ['ready', 'waits', 'works']);
  await look();
  up();
  await look();
  assert.equal(await answered, '"answer"');
  await until(() => heard.length === 4);
  clock.advance(1_000);
  assert.deepEqual(heard, ['ready', 'waits', 'works', 'waits']);
});

for (const stays of [true, false]) {
  const what = stays
    ? 'a server that hangs up has failed'
    : 'a server that is gone is said to have failed only when nobody knows how it has ended';
  test(what, async (t) => {
    const { heard, look, up, invoke, hangUp, clock, waits } = await begin(t);
    up();
    await look();
    await until(() => heard.length === 2);
    hangUp(stays);
    let failure: unknown;
    void invoke().then((end) => (failure = end));
    await until(() => waits.some((ms) => ms === (stays ? 50 : 5_000)));
    clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(failure !== undefined, stays);
    clock.advance(5_000);
    await until(() => failure !== undefined);
    assert.equal((failure as { errorType: string }).errorType, 'Runtime.WebServerFailed');
  });
}

test('one that is closed asks nobody any more', async (t) => {
  const { web, heard, look, up, clock } = await begin(t);
  await look();
  web.close();
  up();
  clock.advance(20_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(heard, []);
});
