import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { openPackages } from '../../src/adapters/packages/mod.ts';
import { SimBlobs, SimStore } from '../../src/adapters/simulated/mod.ts';
import type { SimBlobsDisk, SimStoreDisk, SimStoreOptions } from '../../src/adapters/simulated/mod.ts';
import {
  createAlias,
  createFunction,
  createUrl,
  deleteFunction,
  Functions,
  publishVersion,
  resolveVersion,
  updateCode,
  updateConfiguration,
} from '../../src/control/mod.ts';
import type { FunctionChange } from '../../src/control/mod.ts';
import { HearthError, systemClock, systemRandom } from '../../src/kernel/mod.ts';
import { createSeal } from '../../src/protocol/mod.ts';
import { ROLE, SOURCE, zipOf } from './lambda/fixture.ts';

const REALM = { region: 'us-east-1', accountId: '000000000000' };
const seal = createSeal([systemRandom.bytes(32)], systemRandom);
const settings = { runtime: 'nodejs22.x', handler: 'index.echo', role: ROLE };
type Disks = { readonly store: SimStoreDisk; readonly blobs: SimBlobsDisk };

const newDisks = (): Disks => ({ store: { revision: 0, records: new Map() }, blobs: new Map() });

/** Functions as after a start: over what the disks hold, with nothing unpacked yet. */
async function start(t: TestContext, disks: Disks, fault?: SimStoreOptions['fault']): Promise<Functions> {
  const directory = temporaryDirectory(t);
  const blobs = await SimBlobs.open({ disk: disks.blobs });
  const code = await openPackages({ directory, blobs });
  closeAfter(t, () => code.close());
  const store = await SimStore.open({ disk: disks.store, ...(fault && { fault }) });
  return Functions.open({ store, blobs, code, clock: systemClock, random: systemRandom, realm: REALM, seal });
}

const isCode = (code: string) => (error: unknown) => error instanceof HearthError && error.code === code;

test('after a restart every function is there with its versions, aliases and URL, and its code is unpacked again', async (t) => {
  const disks = newDisks();
  const before = await start(t, disks);
  const zip = await zipOf({ 'index.js': SOURCE });
  for (let i = 0; i < 20; i += 1) await createFunction(before, { name: `f${i}`, settings, zip });
  for (let i = 0; i < 12; i += 1) {
    await updateConfiguration(before, { name: 'f7', settings: { description: `change ${i}` } });
    await publishVersion(before, { name: 'f7' });
  }
  await createAlias(before, 'f7', 'live', { version: '11' });
  const { url } = await createUrl(before, { name: 'f7', qualifier: 'live' }, { authType: 'NONE' });
  await deleteFunction(before, 'f3');

  const after = await start(t, disks);
  assert.equal(after.table.byName.size, 19);
  assert.equal(after.table.byName.has('f3'), false);
  const entry = after.get('f7');
  assert.deepEqual([...entry.versions.keys()], ['$LATEST', ...Array.from({ length: 12 }, (_, i) => String(i + 1))]);
  assert.equal(resolveVersion(entry, 'live', () => 0).record.settings.description, 'change 10');
  assert.equal(after.table.byUrlId.get(url.urlId)?.entry, entry);
  for (const { versions } of after.table.byName.values()) for (const { code } of versions.values()) assert.equal(code.kind, 'ready');
  assert.deepEqual(
    [...after.table.byName.values()].map((e) => e.record),
    [...before.table.byName.values()].map((e) => e.record).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  );
});

test('a function whose package is damaged is there, says so, and can be given new code', async (t) => {
  const disks = newDisks();
  const before = await start(t, disks);
  const { version } = await createFunction(before, { name: 'hurt', settings, zip: await zipOf({ 'index.js': SOURCE }) });
  disks.blobs.get(version.record.code.sha256)!.fill(0);
  const after = await start(t, disks);
  const kind = () => after.get('hurt').versions.get('$LATEST')!.code.kind;
  assert.equal(kind(), 'failed');
  await updateCode(after, { name: 'hurt', zip: await zipOf({ 'index.js': `${SOURCE}// new` }) });
  assert.equal(kind(), 'ready');
});

test('a write that fails is not shown, and the next change goes on from what the store has', async (t) => {
  const disks = newDisks();
  const faults: ('none' | 'before' | 'after')[] = [];
  const functions = await start(t, disks, () => faults.shift() ?? 'none');
  await createFunction(functions, { name: 'one', settings, zip: await zipOf({ 'index.js': SOURCE }) });
  const describe = (description: string) => updateConfiguration(functions, { name: 'one', settings: { description } });
  const shown = () => functions.get('one').record.latest.settings.description;

  faults.push('before');
  await assert.rejects(describe('refused'), isCode('StoreFailed'));
  assert.equal(shown(), '');
  faults.push('after');
  await assert.rejects(describe('stored, but nobody was told'), isCode('StoreFailed'));
  assert.equal(shown(), '');
  await updateConfiguration(functions, { name: 'one', settings: { timeoutSeconds: 9 } });
  assert.equal(shown(), 'stored, but nobody was told');
  assert.equal((await start(t, disks)).get('one').record.latest.settings.timeoutSeconds, 9);
});

test('a change of a record that someone else changed meanwhile is a conflict, and the next one succeeds', async (t) => {
  const disks = newDisks();
  const here = await start(t, disks);
  await createFunction(here, { name: 'shared', settings, zip: await zipOf({ 'index.js': SOURCE }) });
  const there = await start(t, disks);
  await updateConfiguration(there, { name: 'shared', settings: { description: 'there' } });
  const change = () => updateConfiguration(here, { name: 'shared', settings: { timeoutSeconds: 5 } });
  await assert.rejects(change(), isCode('ResourceConflictException'));
  const { version } = await change();
  assert.deepEqual([version.record.settings.description, version.record.settings.timeoutSeconds], ['there', 5]);
});

test('listeners hear of every change once the table shows it, and of nothing that failed', async (t) => {
  const functions = await start(t, newDisks());
  const heard: [name: string, version: string | undefined][] = [];
  const listener = ({ name, entry }: FunctionChange) => {
    assert.equal(functions.table.byName.get(name), entry);
    heard.push([name, entry?.record.latest.settings.description]);
  };
  const stop = functions.onChange(listener);
  await createFunction(functions, { name: 'one', settings, zip: await zipOf({ 'index.js': SOURCE }) });
  await assert.rejects(createFunction(functions, { name: 'two', settings, zip: Buffer.from('no zip') }));
  await Promise.all(['a', 'b', 'c'].map((description) => updateConfiguration(functions, { name: 'one', settings: { description } })));
  await deleteFunction(functions, 'one');
  stop();
  assert.deepEqual(heard, [
    ['one', ''],
    ['one', 'a'],
    ['one', 'b'],
    ['one', 'c'],
    ['one', undefined],
  ]);
});
