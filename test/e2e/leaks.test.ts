/** Functions come and go, and nothing of them stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { ROW_MS } from '../../src/adapters/linux/blanks.ts';
import { footprint } from './footprint.ts';
import type { Footprint } from './footprint.ts';
import { eventually, startIsolated } from './platform.ts';
import type { Isolated } from './platform.ts';

const ROUNDS = 200;
const AT_ONCE = 4;

test(`${ROUNDS} functions are made, called, changed and deleted, and leave nothing behind`, { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => live(isolated, `warm-up-${i}`)));
  const before = await settled(isolated);
  const rounds = Array.from({ length: ROUNDS }, (_, i) => `round-${i}`).values();
  const worker = async () => {
    for (const name of rounds) await live(isolated, name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await withOneBlank(isolated);
  await eventually(() => assert.deepEqual(footprint(isolated.platform), before));
  assert.deepEqual(before.blobs, []);
  assert.deepEqual(before.logs, []);
});

/** A whole life, with code of its own and with code that others have, too. */
async function live(isolated: Isolated, name: string): Promise<void> {
  const source = (said: string) => `export const handler = async () => ({ statusCode: 200, body: ${JSON.stringify(said)} });`;
  await isolated.create(name, source('shared'));
  assert.deepEqual((await isolated.invoke(name)).value, { statusCode: 200, body: 'shared' });
  const url = await isolated.url(name);
  assert.equal(await (await fetch(url)).text(), 'shared');
  await isolated.update(name, source(name));
  assert.deepEqual((await isolated.invoke(name)).value, { statusCode: 200, body: name });
  assert.equal(await (await fetch(url, { method: 'POST', body: 'x' })).text(), name);
  await isolated.remove(name);
  assert.equal((await fetch(url)).status, 404);
  await assert.rejects(isolated.invoke(name), { name: 'ResourceNotFoundException' });
}

/** The footprint once it stays the same. */
async function settled(isolated: Isolated): Promise<Footprint> {
  await withOneBlank(isolated);
  const { platform } = isolated;
  let last = footprint(platform);
  await eventually(async () => {
    const now = footprint(platform);
    const seen = last;
    last = now;
    assert.equal(now.blobs.length + now.logs.length, 0, 'what the warm-up left is not gone yet');
    assert.deepEqual(now, seen);
  });
  return last;
}

/** Where functions have started in a row two sandboxes are there ahead. One that starts after a pause takes one of them, and leaves the other. */
async function withOneBlank({ create, invoke, remove }: Isolated): Promise<void> {
  await wait(ROW_MS + 100);
  await create('alone', 'export const handler = async () => "alone";');
  assert.equal((await invoke('alone')).value, 'alone');
  await remove('alone');
}
