/** Packages are kept exactly as long as something needs them. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';
import { openPackages } from '../../src/adapters/packages/mod.ts';
import { SimBlobs, SimFunctionLogs, SimStore } from '../../src/adapters/simulated/mod.ts';
import {
  createFunction,
  deleteFunction,
  deleteLayerVersion,
  Functions,
  publishLayer,
  publishVersion,
  updateCode,
  updateConfiguration,
} from '../../src/control/mod.ts';
import type { Engine } from '../../src/engine/mod.ts';
import { HearthError, silentLog, systemClock, systemRandom } from '../../src/kernel/mod.ts';
import { followChanges } from '../../src/main/changes.ts';
import { createDeployments } from '../../src/main/deployments.ts';
import { createSeal } from '../../src/protocol/mod.ts';
import { createInProcessEngine } from './lambda/in-process-engine.ts';
import { ROLE, zipOf } from './lambda/fixture.ts';

const REALM = { region: 'us-east-1', accountId: '000000000000' };
const seal = createSeal([systemRandom.bytes(32)], systemRandom);
const settings = { runtime: 'nodejs24.x', handler: 'index.handler', role: ROLE };

async function setUp(t: TestContext, engine: Engine = createInProcessEngine()) {
  const directory = temporaryDirectory(t);
  const disk = new Map<string, Buffer>();
  const blobs = await SimBlobs.open({ disk });
  const code = await openPackages({ directory, blobs });
  const store = await SimStore.open();
  const functions = await Functions.open({ store, blobs, code, clock: systemClock, random: systemRandom, realm: REALM, seal });
  const credentials = { accessKeyId: '', secretAccessKey: '', sessionToken: '' };
  const deploymentOf = createDeployments({ realm: REALM, ownNetwork: true, hostUrl: '', credentials });
  const stop = followChanges({ functions, engine, logs: await SimFunctionLogs.open(), deploymentOf, log: silentLog });
  const kept = async () => {
    const unpacked = (await readdir(directory)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return { blobs: [...disk.keys()].toSorted(), unpacked: unpacked.toSorted() };
  };
  return { functions, blobs, code, kept, stop };
}

test('whatever is deployed and deleted at the same time, all that is needed is there in the end, and nothing else', async (t) => {
  const { functions, code, kept, stop } = await setUp(t);
  const zips = await Promise.all(['a', 'b', 'c'].map((text) => zipOf({ 'index.js': text })));
  const texts = new Map<string, string>();
  const worker = async (index: number) => {
    for (let step = 0; step < 60; step++) {
      const name = `f${(index + step * 7) % 5}`;
      const zip = zips[(index * 3 + step * 5) % 3]!;
      try {
        if (!functions.table.byName.has(name)) await createFunction(functions, { name, settings, zip });
        else if ((index + step) % 3 === 0) await deleteFunction(functions, name);
        else if ((index + step) % 7 === 0) await publishVersion(functions, { name });
        else await updateCode(functions, { name, zip });
      } catch (error) {
        // Another worker was quicker.
        if (!(error instanceof HearthError) || !/^Resource(Conflict|NotFound)/.test(error.code)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, index) => worker(index)));
  await stop();
  await code.close();
  const used = [...functions.codeInUse()].toSorted();
  assert.deepEqual(await kept(), { blobs: used, unpacked: used });
  for (const entry of functions.table.byName.values()) {
    for (const { code: state, record } of entry.versions.values()) {
      assert.ok(state.kind === 'ready');
      const text = await readFile(join(state.directory, 'index.js'), 'utf8');
      assert.equal(texts.getOrInsert(record.code.sha256, text), text);
    }
  }
});

test('the same holds where the same packages are layers, too', async (t) => {
  const { functions, code, kept, stop } = await setUp(t);
  const zips = await Promise.all(['a', 'b', 'c'].map((text) => zipOf({ 'index.js': text })));
  const arns = () => [...functions.layers.versions()].map(({ arn }) => arn);
  const deleteOldest = async (name: string) => {
    const [version] = functions.layers.table.get(name)?.versions.keys() ?? [];
    if (version !== undefined) await deleteLayerVersion(functions, { name, version });
  };
  const worker = async (index: number) => {
    for (let step = 0; step < 60; step++) {
      const name = `f${(index + step * 7) % 4}`;
      const zip = zips[(index * 3 + step * 5) % 3]!;
      const layer = `l${(index + step * 3) % 3}`;
      const layers = arns().filter((_, i) => (i + step) % 4 === 0);
      try {
        if ((index + step) % 4 === 0) await publishLayer(functions, { name: layer, zip });
        else if ((index + step) % 4 === 1) await deleteOldest(layer);
        else if (!functions.table.byName.has(name)) await createFunction(functions, { name, settings, zip, layers: layers.slice(0, 1) });
        else if (step % 5 === 0) await deleteFunction(functions, name);
        else if (step % 5 === 1) await publishVersion(functions, { name });
        else if (step % 5 === 2) await updateCode(functions, { name, zip });
        else await updateConfiguration(functions, { name, settings: {}, layers: layers.slice(0, 2) });
      } catch (error) {
        // Another worker was quicker, or the layers are two versions of one, or deleted meanwhile.
        if (!(error instanceof HearthError) || !/^(Resource(Conflict|NotFound)|InvalidParameterValue)/.test(error.code)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, index) => worker(index)));
  // What is left is what functions have.
  for (const name of functions.layers.table.keys()) while (functions.layers.table.get(name)!.versions.size > 0) await deleteOldest(name);
  await stop();
  await code.close();
  const used = [...functions.codeInUse()].toSorted();
  assert.deepEqual(await kept(), { blobs: used, unpacked: used });
  let attached = 0;
  for (const entry of functions.table.byName.values()) {
    for (const { code: state, record } of entry.versions.values()) {
      assert.ok(state.kind === 'ready');
      for (const [i, layer] of (record.settings.layers ?? []).entries()) {
        attached++;
        assert.equal(basename(state.layers[i]!), layer.sha256);
        assert.ok(['a', 'b', 'c'].includes(await readFile(join(state.layers[i]!, 'index.js'), 'utf8')));
      }
    }
  }
  assert.ok(attached > 0);
});

test('code stays while a sandbox may still load some of it, also for another function that had the same', async (t) => {
  const retirements: (() => void)[] = [];
  const retire: Engine['retire'] = () => new Promise((resolve) => retirements.push(resolve));
  const { functions, code, kept, stop } = await setUp(t, { ...createInProcessEngine(), retire });
  const zip = await zipOf({ 'index.js': 'same' });
  for (const name of ['one', 'two']) await createFunction(functions, { name, settings, zip });
  const [sha256] = functions.codeInUse();
  const all = { blobs: [sha256], unpacked: [sha256] };
  // Creations retire, too: there might be something left of an earlier function of that name.
  const [, , one, two] = await Promise.all(['one', 'two'].map((name) => deleteFunction(functions, name))).then(() => retirements);
  assert.deepEqual(await kept(), all);
  one!();
  await new Promise(setImmediate);
  assert.deepEqual(await kept(), all);
  for (const resolve of [two!, ...retirements]) resolve();
  await stop();
  await code.close();
  assert.deepEqual(await kept(), { blobs: [], unpacked: [] });
});

test('a version that was published keeps its code until it is deleted', async (t) => {
  const { functions, kept, stop, code } = await setUp(t);
  await createFunction(functions, { name: 'f', settings, zip: await zipOf({ 'index.js': 'old' }), publish: true });
  const [old] = functions.codeInUse();
  await updateCode(functions, { name: 'f', zip: await zipOf({ 'index.js': 'new' }) });
  assert.equal((await kept()).blobs.length, 2);
  await deleteFunction(functions, 'f', '1');
  await stop();
  await code.close();
  const left = await kept();
  assert.deepEqual([left.blobs.length, left.unpacked], [1, left.blobs]);
  assert.notEqual(left.blobs[0], old);
});

test('what a killed process left is removed at the next start', async (t) => {
  const { functions, blobs, code, kept, stop } = await setUp(t);
  await createFunction(functions, { name: 'f', settings, zip: await zipOf({ 'index.js': 'used' }) });
  const { sha256 } = await blobs.put(await zipOf({ 'index.js': 'orphan' }));
  await code.unpack(sha256);
  await functions.sweepCode();
  await stop();
  await code.close();
  const used = [...functions.codeInUse()];
  assert.deepEqual(await kept(), { blobs: used, unpacked: used });
});

test('a deployment boots while it is being stored, and is let go again when that fails', async (t) => {
  const inProcess = createInProcessEngine();
  const heard: string[] = [];
  const engine: Engine = {
    ...inProcess,
    prepare(deployment) {
      heard.push(`prepare ${deployment.functionName}`);
      return inProcess.prepare(deployment);
    },
    retire(name, keepIds) {
      heard.push(`retire ${name}, keep ${keepIds?.size}`);
      return inProcess.retire(name, keepIds);
    },
  };
  const { functions, blobs, code, kept, stop } = await setUp(t, engine);
  const put = blobs.put.bind(blobs);
  const stored = Promise.withResolvers<void>();
  blobs.put = async (bytes) => {
    await stored.promise;
    return put(bytes);
  };
  const stopHearing = functions.onComing(({ name }) => {
    assert.equal(functions.table.byName.has(name), false);
    // Only now: what hears of it does not wait for the package.
    stored.resolve();
    return () => {};
  });
  await createFunction(functions, { name: 'one', settings, zip: await zipOf({ 'index.js': 'one' }) });
  assert.deepEqual(heard.splice(0), ['prepare one', 'retire one, keep 1', 'prepare one']);
  stopHearing();

  blobs.put = () => Promise.reject(new HearthError('StoreFailed', 'the disk is full'));
  await assert.rejects(createFunction(functions, { name: 'two', settings, zip: await zipOf({ 'index.js': 'two' }) }), {
    code: 'StoreFailed',
  });
  assert.deepEqual(heard.splice(0), ['prepare two', 'retire two, keep 0']);
  await assert.rejects(updateCode(functions, { name: 'one', zip: await zipOf({ 'index.js': 'two' }) }), { code: 'StoreFailed' });
  assert.deepEqual(heard, ['prepare one', 'retire one, keep 1']);
  await stop();
  await code.close();
  const used = [...functions.codeInUse()].toSorted();
  assert.deepEqual(await kept(), { blobs: used, unpacked: used });
});
