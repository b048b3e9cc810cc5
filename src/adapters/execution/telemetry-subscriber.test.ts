import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../kernel/mod.ts';
import type { Delivery } from './telemetry-delivery.ts';
import { Subscriber } from './telemetry-subscriber.ts';
import { readSubscription } from './telemetry-subscription.ts';
import type { Subscription } from './telemetry-subscription.ts';

const subscription: Subscription = {
  ...{ dialect: 'telemetry', schemaVersion: '2022-12-13', types: ['function'], destination: { protocol: 'TCP', port: 1 } },
  ...{ maxItems: 3, maxBytes: 1_000, timeoutMs: 100 },
};

/** A delivery whose batches end when it is said. */
function open(more: Partial<Subscription> = {}) {
  const clock = manualClock();
  const batches: { readonly records: readonly unknown[]; done(): Promise<void>; fail(): Promise<void> }[] = [];
  const delivery: Delivery = {
    send(events) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const after = async (act: () => void) => {
        act();
        await Promise.allSettled([promise]);
      };
      const records = events.map((event) => (JSON.parse(event) as { record: unknown }).record);
      batches.push({ records, done: () => after(resolve), fail: () => after(() => reject(new Error('no'))) });
      return promise;
    },
    close() {},
  };
  const subscriber = new Subscriber({ subscription: { ...subscription, ...more }, delivery, clock });
  const push = (record: string, type = 'function') => subscriber.push(clock.now(), { type, record });
  return { clock, batches, subscriber, push };
}

test('a batch goes when its time is up, or when it is full', async () => {
  const { clock, batches, push, subscriber } = open();
  push('a');
  push('not asked for', 'extension');
  clock.advance(99);
  assert.equal(batches.length, 0);
  clock.advance(1);
  assert.deepEqual(batches[0]!.records, ['a']);
  await batches[0]!.done();
  for (const record of ['b', 'c', 'd', 'e']) push(record);
  assert.deepEqual(batches[1]!.records, ['b', 'c', 'd']);
  await batches[1]!.done();
  clock.advance(100);
  assert.deepEqual(batches[2]!.records, ['e']);
  subscriber.close();
});

test('what has no room while a batch is on its way is dropped, counted, and told', async () => {
  const { clock, batches, push, subscriber } = open();
  for (let i = 0; i < 10; i++) push(String(i));
  assert.deepEqual(
    batches.map(({ records }) => records),
    [['0', '1', '2']],
  );
  await batches[0]!.done();
  assert.deepEqual(batches[1]!.records.slice(0, 3), ['3', '4', '5']);
  const { droppedRecords, droppedBytes } = batches[1]!.records[3] as { droppedRecords: number; droppedBytes: number };
  assert.equal(droppedRecords, 4);
  assert.ok(droppedBytes > 4 * 50);
  await batches[1]!.done();
  clock.advance(1_000);
  assert.equal(batches.length, 2);
  subscriber.close();
});

test('one line always has a place, and the next does not go beyond the limit in bytes', () => {
  const { batches, push, subscriber } = open();
  push('x'.repeat(5_000));
  assert.equal(batches.length, 1);
  push('y'.repeat(600));
  push('z'.repeat(600));
  subscriber.close();
});

test('a delivery that fails is tried again, later each time', async () => {
  const { clock, batches, push, subscriber } = open();
  push('a');
  clock.advance(100);
  for (const delayMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
    const count = batches.length;
    await batches.at(-1)!.fail();
    clock.advance(delayMs - 1);
    assert.equal(batches.length, count, `${delayMs}`);
    clock.advance(1);
    assert.equal(batches.length, count + 1, `${delayMs}`);
    assert.deepEqual(batches.at(-1)!.records, ['a']);
  }
  subscriber.close();
});

test('while the environment stands still nothing is sent, and all that is due when it goes on', () => {
  const { clock, batches, push, subscriber } = open();
  push('a');
  subscriber.stand(true);
  clock.advance(10_000);
  assert.equal(batches.length, 0);
  subscriber.stand(false);
  assert.equal(batches.length, 1);
  subscriber.close();
});

test('what was on its way when the environment came to stand still is sent once more, when it goes on', async () => {
  const { clock, batches, push, subscriber } = open();
  push('a');
  clock.advance(100);
  subscriber.stand(true);
  await batches[0]!.fail();
  clock.advance(60_000);
  assert.equal(batches.length, 1);
  subscriber.stand(false);
  assert.deepEqual(
    batches.map(({ records }) => records),
    [['a'], ['a']],
  );
  await batches[1]!.done();
  subscriber.stand(true);
  subscriber.stand(false);
  clock.advance(60_000);
  assert.equal(batches.length, 2);
  subscriber.close();
});

test('a flush waits for what is there, and for nobody who is not', async () => {
  const { batches, push, subscriber } = open();
  await subscriber.flush();
  push('a');
  let flushed = false;
  const flush = subscriber.flush().then(() => (flushed = true));
  assert.deepEqual(batches[0]!.records, ['a']);
  assert.equal(flushed, false);
  await batches[0]!.fail();
  await flush;
  subscriber.close();
});

const destination = { protocol: 'HTTP', URI: 'http://sandbox.localdomain:8080/a?b=c' };
const valid = { schemaVersion: '2022-12-13', types: ['platform'], destination };

test("a subscription has Lambda's defaults", () => {
  assert.deepEqual(readSubscription(JSON.stringify(valid), 'telemetry', 9001), {
    ...{ dialect: 'telemetry', schemaVersion: '2022-12-13', types: ['platform'], maxItems: 10_000, maxBytes: 262_144, timeoutMs: 1_000 },
    destination: { protocol: 'HTTP', port: 8080, path: '/a?b=c' },
  });
  const logs = { types: ['function'], destination: { protocol: 'TCP', port: 80 } };
  const read = readSubscription(JSON.stringify(logs), 'logs', 9001);
  assert.ok(typeof read === 'object' && read.schemaVersion === '2020-08-15' && read.destination.port === 80);
});

const WRONG: readonly (readonly [change: object, said: RegExp])[] = [
  [{ schemaVersion: '2020-08-15' }, /^schemaVersion should be one of/],
  [{ types: [] }, /^types should not be empty$/],
  [{ types: ['other'] }, /^type "other" is not one of/],
  [{ types: [{}] }, /^type \{\} is not one of/],
  [{ buffering: { maxItems: 999 } }, /^maxItems should be a number from 1000 to 10000$/],
  [{ buffering: { maxBytes: 1.5, timeoutMs: '25' } }, /^maxBytes .*; timeoutMs should be a number from 25 to 30000$/],
  [{ destination: undefined }, /^destination is not provided$/],
  [{ destination: { protocol: 'UDP' } }, /^protocol should be/],
  [{ destination: { protocol: 'HTTP' } }, /^URI is not valid$/],
  [{ destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain' } }, /^URI port is not provided$/],
  [{ destination: { protocol: 'HTTP', URI: 'https://sandbox.localdomain:8080' } }, /^URI should begin with http/],
  [{ destination: { protocol: 'HTTP', URI: 'http://169.254.169.254:8080' } }, /^URI host should be sandbox\.localdomain$/],
  [{ destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:9001' } }, /^URI port 9001 is reserved$/],
  [{ destination: { protocol: 'TCP', port: 70_000 } }, /^URI is not valid$/],
  [{ destination: { protocol: 'TCP', port: 0 } }, /^URI port is not provided$/],
];

for (const [change, said] of WRONG) {
  test(`a subscription is refused with all that is wrong with it: ${JSON.stringify(change)}`, () => {
    const read = readSubscription(JSON.stringify({ ...valid, ...change }), 'telemetry', 9001);
    assert.ok(typeof read === 'string');
    assert.match(read, said);
  });
}

test('what is no JSON object is no subscription', () => {
  for (const text of ['', '{', 'null', '3']) assert.equal(typeof readSubscription(text, 'telemetry', 9001), 'string');
});
