/** More than a machine can do, or has memory for, in real sandboxes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './platform.ts';
import { openEngine } from './real-engine.ts';
import type { Answer } from './real-engine.ts';

const BUSY = `export const handler = async ({ ms = 100 }) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return process.pid;
};`;

const reasonOf = (answer: Answer) => ('reason' in answer ? answer.reason : answer.kind);

test('under an overload spot is refused, reserved is served, and when it is over spot is served again', async (t) => {
  const shedding = { waitMs: 400, pressedWaitMs: 400, intervalMs: 300 };
  const place = await openEngine(t, { concurrentInvocations: 2, shedding });
  if (!place) return;
  const { engine, call } = place;
  const spot = place.deployment(BUSY, {}, {}, 'spot');
  const reserved = place.deployment(BUSY, {}, {}, 'reserved');
  for (const d of [spot, reserved]) assert.equal((await call(d)).kind, 'answered');
  const flood = Array.from({ length: 150 }, () => call(spot));
  // No more of them than run at a time: there is always room for these.
  const served: Answer[] = [];
  const caller = async () => {
    while (engine.load().shed === 0) served.push(await call(reserved));
    for (let n = 0; n < 5; n++) served.push(await call(reserved));
  };
  await Promise.all([caller(), caller()]);
  assert.deepEqual([...new Set(served.map(reasonOf))], ['answered']);
  const answers = await Promise.all(flood);
  const refused = answers.filter((answer) => reasonOf(answer) === 'ConcurrentInvocationLimitExceeded').length;
  assert.equal(answers.filter((answer) => answer.kind === 'answered').length, 150 - refused);
  assert.ok(refused > 50 && refused < 150, String(refused));
  assert.equal(engine.load().shed, refused);
  // The oldest had their turn.
  assert.equal(answers[0]!.kind, 'answered');
  await eventually(() => assert.equal(engine.load().shedding, false));
  assert.equal((await call(spot)).kind, 'answered');
});

test('with memory for a few, twelve functions called in turn are all answered, and what is kept is no more than that', async (t) => {
  const place = await openEngine(t, { memoryMiB: 40 });
  if (!place) return;
  const { engine, call } = place;
  const all = Array.from({ length: 12 }, () => place.deployment(BUSY));
  for (let round = 0; round < 3; round++) for (const d of all) assert.equal((await call(d, { ms: 1 })).kind, 'answered');
  const { evicted, committedMiB, instances } = engine.load();
  assert.ok(evicted.templates >= 12, JSON.stringify(evicted));
  assert.ok(committedMiB <= 40, String(committedMiB));
  assert.ok(instances <= 12);
});

test('functions that are called all at once boot a few at a time, each once, and all are served', async (t) => {
  const place = await openEngine(t, { processors: 2 });
  if (!place) return;
  const { engine, call } = place;
  const all = Array.from({ length: 10 }, () => place.deployment(BUSY));
  let most = 0;
  const calls = all.flatMap((d) =>
    Array.from({ length: 4 }, () => call(d).finally(() => (most = Math.max(most, engine.load().boots.going)))),
  );
  assert.deepEqual(engine.load().boots, { going: 3, waiting: 7 });
  for (const answer of await Promise.all(calls)) assert.equal(answer.kind, 'answered');
  assert.ok(most <= 3);
  assert.deepEqual(engine.load().boots, { going: 0, waiting: 0 });
  for (const { causes } of engine.stats()) assert.ok(Object.keys(causes.boot).every((cause) => cause === 'first call'));
});

test('what instances are found to take of memory is what is counted', async (t) => {
  const place = await openEngine(t);
  if (!place) return;
  const { engine, call } = place;
  const large = place.deployment(
    `let held; export const handler = async ({ mib, ms }) => {
      held = Buffer.alloc(mib * 1024 * 1024, 1);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return held.length;
    };`,
    {},
    { memoryMiB: 512 },
  );
  assert.equal((await call(large, { mib: 1, ms: 1 })).kind, 'answered');
  const before = engine.load().committedMiB;
  // While it runs the platform looks every 2 s.
  assert.equal((await call(large, { mib: 200, ms: 2_500 })).kind, 'answered');
  const measured = await eventuallyOver(() => engine.load().committedMiB, before + 150);
  if (measured === undefined) return t.skip('this machine does not count the memory of an instance');
  assert.ok(measured < before + 400, `${before} -> ${measured}`);
});

/** Undefined: it never was. */
async function eventuallyOver(read: () => number, bound: number): Promise<number | undefined> {
  for (let tries = 0; tries < 100; tries++) {
    if (read() > bound) return read();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}
