/** Extensions beside an instance that runs several invocations at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNHURRIED, invoke, openEnvironments, shellExtension, skip, templateOf, until } from './extensions.testing.ts';

const CODE = `
const waiting = [];
export const handler = (event) => new Promise((answer) => {
  waiting.push(() => answer(event));
  if (waiting.length === event.together) for (const go of waiting.splice(0)) go();
});`;

test('an extension is told of each of several invocations that run at a time', { skip }, async (t) => {
  const { boot } = await openEnvironments(t, { windDown: UNHURRIED });
  const booted = await boot('node', CODE, { 'extensions/told': shellExtension() }, { concurrency: 4 });
  const instance = templateOf(booted).fork();
  const log: string[] = [];
  for (const together of [4, 1, 3]) {
    const events = Array.from({ length: together }, (_, number) => ({ together, number }));
    const invoked = await Promise.all(events.map((event) => invoke(instance, event, log)));
    for (const [i, { end, value, id }] of invoked.entries()) {
      assert.equal(end.kind, 'answered', JSON.stringify(end));
      assert.deepEqual(value, events[i]);
      await until(
        () => log.filter((line) => line.startsWith('ext got') && line.includes(id)).length === 1,
        () => log.join('\n'),
      );
    }
  }
  instance.kill();
  await until(
    () => log.some((line) => line.includes('"shutdownReason":"spindown"')),
    () => log.join('\n'),
  );
});

test('an extension that asks no more ends an instance that runs several at a time, when its time is up', { skip }, async (t) => {
  const { boot } = await openEnvironments(t);
  const booted = await boot('node', CODE, { 'extensions/stuck': shellExtension('sleep 100') }, { concurrency: 2 });
  const instance = templateOf(booted).fork();
  const run = () => invoke(instance, { together: 1 }, [], 6_000);
  // The first one it has got, two more lie there for it.
  for (let call = 0; call < 3; call++) assert.equal((await run()).end.kind, 'answered');
  assert.equal((await run()).end.kind, 'notBegun');
  assert.equal(instance.alive, false);
  await instance.closed;
});
