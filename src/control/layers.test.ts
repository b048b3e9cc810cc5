import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { SimBlobs, SimStore } from '../adapters/simulated/mod.ts';
import type { SimBlobsDisk, SimStoreDisk, SimStoreOptions } from '../adapters/simulated/mod.ts';
import { HearthError, LIMITS, systemClock, systemRandom } from '../kernel/mod.ts';
import { createSeal } from '../protocol/mod.ts';
import type { CodeStore } from './code-store.ts';
import { Functions } from './functions.ts';
import { addLayerPermission, getLayerPolicy } from './layer-policies.ts';
import { deleteLayerVersion, getLayerVersion, publishLayer } from './layer-versions.ts';
import { createFunction, deleteFunction, updateCode, updateConfiguration } from './lifecycle.ts';
import { storedBytes } from './stored-code.ts';
import { publishVersion } from './versions.ts';

const MiB = 1024 * 1024;
const realm = { region: 'us-east-1', accountId: '000000000000' };
const seal = createSeal([systemRandom.bytes(32)], systemRandom);
const settings = { runtime: 'nodejs26.x', handler: 'index.handler', role: 'r' };
const isCode = (code: string) => (error: unknown) => error instanceof HearthError && error.code === code;

/** A package as the tests have them: its text, and the size that it says it has when unpacked. */
const zip = (text: string, bytes = 1): Buffer => Buffer.from(`${bytes} ${text}`);
const shaOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

type Disks = { readonly store: SimStoreDisk; readonly blobs: SimBlobsDisk };
const newDisks = (): Disks => ({ store: { revision: 0, records: new Map() }, blobs: new Map() });

async function start(disks: Disks = newDisks(), fault?: SimStoreOptions['fault']) {
  const blobs = await SimBlobs.open({ disk: disks.blobs });
  const unpacked = new Set<string>();
  const code: CodeStore = {
    async unpack(sha256, given) {
      await (given ?? blobs.get(sha256));
      unpacked.add(sha256);
      return { directory: `/${sha256}` };
    },
    measure: async (sha256, given) => Number(String(given ?? (await blobs.get(sha256))).split(' ')[0]),
    delete: async (sha256) => void unpacked.delete(sha256),
    list: async () => [...unpacked],
  };
  const store = await SimStore.open({ disk: disks.store, ...(fault && { fault }) });
  const functions = await Functions.open({ store, blobs, code, clock: systemClock, random: systemRandom, realm, seal });
  const arnOf = async (name: string, bytes: Buffer) => (await publishLayer(functions, { name, zip: bytes })).version.arn;
  const latest = (name: string) => functions.get(name).versions.get('$LATEST')!;
  return { functions, unpacked, arnOf, latest, kept: () => [...disks.blobs.keys()].toSorted() };
}

test('layers, their policies and what functions have of them are there after a restart, and numbers go on', async () => {
  const disks = newDisks();
  const before = await start(disks);
  const [one, two] = [zip('one'), zip('two')];
  const arns = [await before.arnOf('a', one), await before.arnOf('b', two)];
  const statement = { Sid: 's', Effect: 'Allow', Principal: '*', Action: 'lambda:GetLayerVersion' } as const;
  await addLayerPermission(before.functions, { name: 'b', version: 1 }, statement);
  await createFunction(before.functions, { name: 'f', settings, zip: zip('code'), layers: arns, publish: true });
  await deleteLayerVersion(before.functions, { name: 'a', version: 1 });

  const after = await start(disks);
  assert.throws(() => getLayerVersion(after.functions, { name: 'a', version: 1 }), isCode('ResourceNotFoundException'));
  assert.equal(getLayerPolicy(after.functions, { name: 'b', version: 1 }).text.includes('"Sid":"s"'), true);
  assert.deepEqual(after.functions.layers.table.get('b'), before.functions.layers.table.get('b'));
  for (const { code, record } of after.functions.get('f').versions.values()) {
    assert.deepEqual(code, { kind: 'ready', directory: `/${shaOf(zip('code'))}`, layers: [one, two].map((each) => `/${shaOf(each)}`) });
    assert.deepEqual(
      record.settings.layers?.map(({ arn }) => arn),
      arns,
    );
  }
  assert.equal((await publishLayer(after.functions, { name: 'a', zip: one })).version.record.version, 2);
});

test('a package is kept while a layer version, a function or a version of one has it, and no longer', async () => {
  const { functions, arnOf, kept, unpacked } = await start();
  const [layer, code] = [zip('layer'), zip('code')];
  const arn = await arnOf('l', layer);
  await createFunction(functions, { name: 'f', settings, zip: code, layers: [arn], publish: true });
  // What a change leaves behind is let go by who follows the changes.
  functions.onChange(({ formerCode }) => void Promise.all(formerCode.map((sha256) => functions.holdCode(sha256)())));
  const both = [shaOf(layer), shaOf(code)].toSorted();
  await deleteLayerVersion(functions, { name: 'l', version: 1 });
  assert.deepEqual(kept(), both);
  await updateConfiguration(functions, { name: 'f', settings: {}, layers: [] });
  await new Promise(setImmediate);
  assert.deepEqual(kept(), both, 'version 1 has it');
  await deleteFunction(functions, 'f', '1');
  await new Promise(setImmediate);
  assert.deepEqual(kept(), [shaOf(code)]);
  assert.deepEqual([...unpacked], [shaOf(code)]);

  await arnOf('l', layer);
  await deleteLayerVersion(functions, { name: 'l', version: 2 });
  assert.deepEqual(kept(), [shaOf(code)], 'nobody ever had version 2');
});

test('a function takes a layer, or not, whenever that is deleted; what it takes is there', async () => {
  const { functions, arnOf, kept } = await start();
  const layer = zip('layer');
  for (let round = 1; round <= 10; round++) {
    const arn = await arnOf('l', layer);
    const [created] = await Promise.allSettled([
      createFunction(functions, { name: `f${round}`, settings, zip: zip(`code ${round}`), layers: [arn] }),
      round % 2 ? deleteLayerVersion(functions, { name: 'l', version: round }) : undefined,
    ]);
    assert.equal(kept().includes(shaOf(layer)), created.status === 'fulfilled' || round % 2 === 0);
    if (created.status === 'fulfilled') await deleteFunction(functions, `f${round}`);
    if (round % 2 === 0) await deleteLayerVersion(functions, { name: 'l', version: round });
    await functions.sweepCode();
    assert.deepEqual(kept(), []);
  }
});

test('the limit of what is unpacked is that of a function and its layers together', async () => {
  const { functions, arnOf, latest } = await start();
  const big = await arnOf('big', zip('b', 130 * MiB));
  const small = await arnOf('small', zip('s', 20 * MiB));
  const large = await arnOf('large', zip('l', 121 * MiB));
  const fits = { name: 'f', settings, zip: zip('code', 100 * MiB), layers: [big, small] };
  const refused = (message: RegExp) => (error: unknown) =>
    isCode('InvalidParameterValueException')(error) && message.test((error as Error).message);
  const together = refused(/^Function code combined with layers .* of 262144000 bytes\. The actual size is 262144001 bytes\.$/);
  await createFunction(functions, fits);
  const over = zip('code', 100 * MiB + 1);
  await assert.rejects(createFunction(functions, { ...fits, name: 'g', zip: over }), together);
  await assert.rejects(updateCode(functions, { name: 'f', zip: over }), together);
  const alone = refused(/^Layers consume more than the available size of 262144000 bytes$/);
  await assert.rejects(updateConfiguration(functions, { name: 'f', settings: {}, layers: [big, large] }), alone);
  assert.equal(functions.table.byName.has('g'), false);
  assert.equal(latest('f').record.code.sha256, shaOf(fits.zip));
  assert.deepEqual(
    latest('f').record.settings.layers?.map(({ arn }) => arn),
    fits.layers,
  );
});

test('other layers make another deployment, and a new version', async () => {
  const { functions, arnOf, latest } = await start();
  const [one, two] = [await arnOf('one', zip('1')), await arnOf('two', zip('2'))];
  await createFunction(functions, { name: 'f', settings, zip: zip('code'), layers: [one, two], publish: true });
  const ids = [latest('f').record.deploymentId];
  await updateConfiguration(functions, { name: 'f', settings: {}, layers: [two, one] });
  ids.push(latest('f').record.deploymentId);
  const { version } = await publishVersion(functions, { name: 'f' });
  ids.push(version.record.deploymentId);
  assert.deepEqual([version.record.version, new Set(ids).size], ['2', 3]);
  assert.deepEqual(version.code, latest('f').code);
  assert.deepEqual(
    functions
      .get('f')
      .versions.get('1')!
      .record.settings.layers?.map(({ arn }) => arn),
    [one, two],
  );
});

test('a function whose layer is damaged says so, and runs again without it', async () => {
  const disks = newDisks();
  const before = await start(disks);
  const layer = zip('layer');
  const arn = await before.arnOf('l', layer);
  await createFunction(before.functions, { name: 'f', settings, zip: zip('code'), layers: [arn] });
  disks.blobs.get(shaOf(layer))!.fill(0);
  const { functions, latest } = await start(disks);
  const { code } = latest('f');
  assert.ok(code.kind === 'failed');
  assert.match(code.reason, new RegExp(`^The layer ${arn}: `));
  await assert.rejects(updateConfiguration(functions, { name: 'f', settings: {}, layers: [arn] }), (error: unknown) => {
    assert.ok(isCode('BlobDamaged')(error));
    assert.match(String(error), new RegExp(`The layer ${arn} cannot be used`));
    return true;
  });
  await updateConfiguration(functions, { name: 'f', settings: {}, layers: [] });
  assert.equal(latest('f').code.kind, 'ready');
  // The same bytes heal it, as they do a function's package.
  const healed = await publishLayer(functions, { name: 'l', zip: layer });
  await updateConfiguration(functions, { name: 'f', settings: {}, layers: [healed.version.arn] });
  assert.equal(latest('f').code.kind, 'ready');
});

test('a commit that fails shows nothing, keeps the package that may be referred to, and the next goes on from what the store has', async () => {
  const disks = newDisks();
  const faults: ('none' | 'before' | 'after')[] = [];
  const { functions, arnOf, kept } = await start(disks, () => faults.shift() ?? 'none');
  faults.push('before');
  await assert.rejects(arnOf('l', zip('refused')), isCode('StoreFailed'));
  assert.equal(functions.layers.table.has('l'), false);
  faults.push('after');
  const stored = zip('stored, but nobody was told');
  await assert.rejects(arnOf('l', stored), isCode('StoreFailed'));
  assert.ok(kept().includes(shaOf(stored)));
  assert.equal(await arnOf('l', zip('next')), 'arn:aws:lambda:us-east-1:000000000000:layer:l:2');
  assert.equal(getLayerVersion(functions, { name: 'l', version: 1 }).version.record.code.sha256, shaOf(stored));
  assert.equal((await start(disks)).functions.layers.table.get('l')!.versions.size, 2);
  faults.push('after');
  await assert.rejects(deleteLayerVersion(functions, { name: 'l', version: 1 }), isCode('StoreFailed'));
  await deleteLayerVersion(functions, { name: 'l', version: 1 });
  assert.deepEqual([...functions.layers.table.get('l')!.versions.keys()], [2]);
});

test('a layer that another process changed meanwhile is a conflict, and the next change succeeds', async () => {
  const disks = newDisks();
  const here = await start(disks);
  await here.arnOf('l', zip('1'));
  const there = await start(disks);
  await there.arnOf('l', zip('2'));
  await assert.rejects(here.arnOf('l', zip('3')), isCode('ResourceConflictException'));
  assert.match(await here.arnOf('l', zip('3')), /:l:3$/);
});

test('what layers take counts as stored code, once, and as long as anybody has it', async () => {
  const { functions, arnOf } = await start();
  const [layer, code] = [zip('layer'), zip('code')];
  const arn = await arnOf('l', layer);
  for (const name of ['f', 'g']) await createFunction(functions, { name, settings, zip: code, layers: [arn] });
  const expected = layer.length + 2 * code.length;
  assert.equal(storedBytes(functions), expected);
  await deleteLayerVersion(functions, { name: 'l', version: 1 });
  assert.equal(storedBytes(functions), expected);
  for (const name of ['f', 'g']) await deleteFunction(functions, name);
  assert.equal(storedBytes(functions), 0);
  assert.ok(expected < LIMITS.codeStorageBytes);
});
