import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../../test/temporary.ts';
import { SqliteStore } from '../adapters/sqlite/mod.ts';
import { openAccessKeys } from '../api/door/mod.ts';
import { Functions, createFunction, publishVersion, updateConfiguration } from '../control/mod.ts';
import { silentLog, systemClock, systemRandom } from '../kernel/mod.ts';
import { SimBlobs } from '../adapters/simulated/mod.ts';
import { readSealingKeys, writeSealingKeys } from './sealing-key.ts';
import { openSeal, rotateSealingKey } from './sealing.ts';

const SECRET = 'hunter2-of-the-test';
const settings = { runtime: 'nodejs22.x', handler: 'index.handler', role: 'r', environment: { PASSWORD: SECRET, EMPTY: '' } };
const unusable = { name: 'HearthError', code: 'SealingKeyUnusable' };

async function place(t: TestContext) {
  const directory = temporaryDirectory(t);
  const keyFile = join(directory, 'sealing.key');
  return {
    directory,
    keyFile,
    async open(run: (store: SqliteStore) => Promise<void>): Promise<void> {
      const store = await SqliteStore.open({ path: join(directory, 'store.db') });
      try {
        await run(store);
      } finally {
        await store.close();
      }
    },
    seal: async (store: SqliteStore) => openSeal({ store, keyFile, keys: await readSealingKeys(keyFile), random: systemRandom }),
    /** Names of files that have the text somewhere in them. */
    async holding(text: string): Promise<string[]> {
      const names = await readdir(directory);
      const contents = await Promise.all(names.map((name) => readFile(join(directory, name), 'latin1')));
      return names.filter((_, index) => contents[index]!.includes(text));
    },
  };
}

async function functionsOf(store: SqliteStore, seal: Awaited<ReturnType<typeof openSeal>>): Promise<Functions> {
  const code = {
    unpack: async (sha256: string) => ({ directory: sha256 }),
    delete: async () => {},
    measure: async () => 0,
    list: async () => [],
  };
  const realm = { region: 'us-east-1', accountId: '000000000000' };
  const blobs = await SimBlobs.open();
  return Functions.open({ store, blobs, code, clock: systemClock, random: systemRandom, realm, seal, log: silentLog });
}

/** As a store was before environments were sealed: many records, some overwritten or deleted, so that there are free pages. */
async function writePlain(store: SqliteStore, directory: string, keyFile: string): Promise<void> {
  const version = (number: string, environment: object) => ({
    version: number,
    settings: { ...settings, environment, description: '', logging: { format: 'Text', group: 'g' } },
    code: { sha256: 'aa', bytes: 1 },
    modifiedMs: 1,
    revisionId: 'r',
    deploymentId: `d${number}`,
  });
  const record = (name: string, environment: object) => ({
    ...{ schema: 1, name, latest: version('$LATEST', environment), published: 1, aliases: [], urls: [], policies: [], tags: {} },
  });
  for (let round = 0; round < 3; round++)
    for (let i = 0; i < 40; i++) {
      const value = record(`f${i}`, { PASSWORD: `${SECRET}-${i}-${'x'.repeat(300 * round)}` });
      await store.commit([{ kind: 'put', key: `functions/f${i}`, value }]);
    }
  await store.commit([{ kind: 'put', key: 'versions/f1/0000000001', value: version('1', { PASSWORD: `${SECRET}-old` }) }]);
  for (let i = 20; i < 40; i++) await store.commit([{ kind: 'delete', key: `functions/f${i}` }]);
  const key = Buffer.alloc(32, 7);
  await writeFile(keyFile, key);
  await store.commit([
    { kind: 'put', key: 'keys/AKIA1', value: { schema: 1, description: '', createdMs: 1, sealed: sealedAsBefore(key) } },
  ]);
  assert.ok((await readdir(directory)).includes('store.db-wal'));
}

/** An access key's secret from when a sealed text did not name its key. */
function sealedAsBefore(key: Buffer): string {
  const nonce = Buffer.alloc(12, 3);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from('AKIA1'));
  const text = Buffer.concat([cipher.update('secret of the access key'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
}

test('values of a store from before they were sealed are read, sealed at the first start, and in none of its files any more', async (t) => {
  const { directory, keyFile, open, seal, holding } = await place(t);
  await open((store) => writePlain(store, directory, keyFile));
  await open(async (store) => {
    assert.ok((await holding(SECRET)).includes('store.db'));
    const functions = await functionsOf(store, await seal(store));
    assert.deepEqual(await holding(SECRET), [], 'while the store is open');
    assert.deepEqual(await holding('hunter2'), []);
    const { versions } = functions.get('f1');
    assert.match(versions.get('$LATEST')!.record.settings.environment!['PASSWORD']!, new RegExp(`^${SECRET}-1-x+$`));
    assert.deepEqual(versions.get('1')!.record.settings.environment, { PASSWORD: `${SECRET}-old` });
    assert.equal(functions.table.byName.size, 20);
    const keys = await openAccessKeys({ store, random: systemRandom, clock: systemClock, seal: await seal(store) });
    assert.equal(keys.secretOf('AKIA1'), 'secret of the access key');
  });
  assert.deepEqual(await holding(SECRET), []);
});

test('a start that ends between sealing and clearing away is made up for by the next one', async (t) => {
  const { directory, keyFile, open, seal, holding } = await place(t);
  await open((store) => writePlain(store, directory, keyFile));
  await open(async (store) => {
    const failing = Object.assign(Object.create(store) as SqliteStore, { scrub: () => Promise.reject(new Error('power is gone')) });
    failing.get = (key) => store.get(key);
    failing.list = (prefix, page) => store.list(prefix, page);
    failing.commit = (writes) => store.commit(writes);
    await assert.rejects(seal(failing), /power is gone/);
  });
  await open(async (store) => {
    await seal(store);
    assert.deepEqual(await holding(SECRET), []);
  });
});

test('a value is never in a file of the store: not after it is set, published, changed or deleted', async (t) => {
  const { open, seal, holding } = await place(t);
  await open(async (store) => {
    const functions = await functionsOf(store, await seal(store));
    await createFunction(functions, { name: 'f', settings, zip: Buffer.from('zip') });
    await publishVersion(functions, { name: 'f' });
    await updateConfiguration(functions, { name: 'f', settings: { environment: { PASSWORD: `${SECRET}-2` } } });
    assert.deepEqual(await holding('hunter2'), []);
    assert.deepEqual(await holding('PASSWORD'), [], 'the names are sealed with the values');
  });
  await open(async (store) => {
    const { versions } = (await functionsOf(store, await seal(store))).get('f');
    assert.deepEqual(versions.get('$LATEST')!.record.settings.environment, { PASSWORD: `${SECRET}-2` });
    assert.deepEqual(versions.get('1')!.record.settings.environment, settings.environment);
  });
});

test('an environment moved to another function or version stays shut, and is kept until another is set', async (t) => {
  const { open, seal } = await place(t);
  await open(async (store) => {
    const functions = await functionsOf(store, await seal(store));
    for (const name of ['theirs', 'mine']) await createFunction(functions, { name, settings, zip: Buffer.from('zip'), publish: true });
    await updateConfiguration(functions, { name: 'mine', settings: { description: 'not what was published' } });
    type Sealed = { latest: { settings: { sealedEnvironment: string } } };
    const theirs = (await store.get<Sealed>('functions/theirs'))!.value;
    const mine = (await store.get<Sealed>('functions/mine'))!.value;
    mine.latest.settings.sealedEnvironment = theirs.latest.settings.sealedEnvironment;
    await store.commit([{ kind: 'put', key: 'functions/mine', value: mine }]);
  });
  await open(async (store) => {
    const opened = await seal(store);
    const functions = await functionsOf(store, opened);
    const latest = functions.get('mine').record.latest.settings;
    assert.equal(latest.environment, undefined);
    assert.ok(latest.lockedEnvironment);
    assert.ok(functions.get('mine').versions.get('1')!.record.settings.environment);
    await assert.rejects(publishVersion(functions, { name: 'mine' }), { code: 'KMSAccessDeniedException' });
    await updateConfiguration(functions, { name: 'mine', settings: { memoryMiB: 256 } });
    const again = (await functionsOf(store, opened)).get('mine').record.latest.settings;
    assert.deepEqual([again.memoryMiB, again.lockedEnvironment], [256, latest.lockedEnvironment]);
    await updateConfiguration(functions, { name: 'mine', settings: { environment: { A: 'new' } } });
    assert.deepEqual((await functionsOf(store, opened)).get('mine').record.latest.settings.environment, { A: 'new' });
    await publishVersion(functions, { name: 'mine' });
  });
});

test('a new sealing key takes the place of the old one for everything, also when it was ended in the middle', async (t) => {
  const { directory, keyFile, open, seal, holding } = await place(t);
  await open((store) => writePlain(store, directory, keyFile));
  const fill = async (store: SqliteStore) => {
    const opened = await seal(store);
    const keys = await openAccessKeys({ store, random: systemRandom, clock: systemClock, seal: opened });
    assert.equal(keys.secretOf('AKIA1'), 'secret of the access key');
    assert.equal((await functionsOf(store, opened)).get('f1').versions.get('1')!.record.settings.environment!['PASSWORD'], `${SECRET}-old`);
    return opened.keyId;
  };
  let before = '';
  await open(async (store) => void (before = await fill(store)));
  const oldKeys = (await readSealingKeys(keyFile))!;

  // The new key is in the file, and nothing is sealed with it yet.
  await writeSealingKeys(keyFile, [systemRandom.bytes(32), ...oldKeys]);
  let between = '';
  await open(async (store) => void (between = await fill(store)));
  assert.notEqual(between, before);

  await open(async (store) => {
    const keyId = await rotateSealingKey({ store, keyFile, random: systemRandom });
    assert.equal((await readSealingKeys(keyFile))!.length, 1);
    assert.ok(keyId !== before && keyId !== between);
    assert.equal(await fill(store), keyId);
    for (const former of [before, between]) assert.deepEqual(await holding(former), [], 'what the former keys sealed is gone');
  });
  await writeSealingKeys(keyFile, oldKeys);
  await open((store) => assert.rejects(seal(store), unusable));
});

test('without a place for the new key nothing is sealed anew', async (t) => {
  const { keyFile, open, seal } = await place(t);
  await open(async (store) => {
    const { keyId } = await seal(store);
    const file = join(keyFile, 'not-a-directory');
    await assert.rejects(rotateSealingKey({ store, keyFile: file, random: systemRandom }), unusable);
    assert.equal((await seal(store)).keyId, keyId);
  });
});
