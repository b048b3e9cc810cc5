import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openTemplates, invoke as invokeLinux, skip, valueOf } from '../../src/adapters/linux/templates.testing.ts';
import { initErrorOf, run } from './node-function.ts';

const SDK = readFileSync(join(import.meta.dirname, '../../packages/sdk/index.js'), 'utf8');
const ORDER = `
  import { afterRestore, beforeSnapshot, restores } from './sdk.mjs';
  const seen = [restores];
  const pause = () => new Promise((resolve) => setTimeout(resolve, 2));
  for (const n of [1, 2]) beforeSnapshot(async () => { await pause(); seen.push('before ' + n); });
  for (const n of [1, 2]) afterRestore(async () => { await pause(); seen.push('after ' + n); });
  const raw = globalThis[Symbol.for('hearth.snapshot')];
  raw.afterRestore(() => seen.push(process.pid));
  export const handler = async () => seen.map((one) => one === process.pid ? 'own pid' : one);`;
const SEEN = [true, 'before 2', 'before 1', 'after 1', 'after 2', 'own pid'];

test("hooks run around the snapshot, in Lambda's order, once in each instance", { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  for (const more of [{}, { snapshot: 'never' as const }, { concurrency: 4 }]) {
    const template = await boot(ORDER, more, { 'sdk.mjs': SDK });
    for (const instance of [template.fork(), template.fork()]) {
      assert.deepEqual(await Promise.all([valueOf(instance), more.concurrency ? valueOf(instance) : SEEN]), [SEEN, SEEN]);
      assert.deepEqual(await valueOf(instance), SEEN);
      instance.kill();
    }
    template.close();
  }
});

test('hooks run without isolation too', async (t) => {
  const booted = await run(t, { files: { 'index.mjs': ORDER, 'sdk.mjs': SDK } });
  assert.deepEqual((await booted.invoke()).value, SEEN);
  assert.deepEqual((await booted.invoke()).value, SEEN);
});

test('what a hook closes before the snapshot does not keep instances from being forked', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(
    `import { createServer } from 'node:net';
    import { once } from 'node:events';
    import { afterRestore, beforeSnapshot } from './sdk.mjs';
    const server = createServer();
    const open = () => once(server.listen(0, '127.0.0.1'), 'listening');
    await open();
    beforeSnapshot(() => new Promise((resolve) => server.close(resolve)));
    afterRestore(open);
    export const handler = async () => server.address().port > 0;`,
    {},
    { 'sdk.mjs': SDK },
  );
  assert.deepEqual(template.blockers, []);
  for (const instance of [template.fork(), template.fork()]) {
    assert.equal(instance.start, 'fork');
    assert.equal(await valueOf(instance), true);
    instance.kill();
  }
  template.close();
});

const FAILING: Readonly<Record<string, RegExp>> = {
  'async () => { throw new RangeError("no database"); }': /^RangeError: no database$/,
  '() => new Promise(() => {})': /^Error: an afterRestore hook awaits a promise/,
  '() => { setTimeout(() => { throw new Error("later"); }, 1); return new Promise((resolve) => setTimeout(resolve, 1000)); }': /^later$/,
};

test('a hook that fails after the fork fails the first invocation, and ends that instance', { skip }, async (t: TestContext) => {
  const { boot } = await openTemplates(t);
  for (const [hook, message] of Object.entries(FAILING)) {
    const template = await boot(
      `import { afterRestore } from './sdk.mjs'; afterRestore(${hook}); export const handler = async () => 1;`,
      {},
      { 'sdk.mjs': SDK },
    );
    const instance = template.fork();
    const end = await invokeLinux(instance);
    assert.equal(end.kind, 'failed', JSON.stringify(end));
    assert.match(end.kind === 'failed' ? end.error.errorMessage : '', message);
    assert.equal((await instance.closed).kind, 'exited');
    template.close();
  }
});

test('a hook that fails before the snapshot fails init', async (t) => {
  const index = `import { beforeSnapshot } from './sdk.mjs'; beforeSnapshot(() => { throw new TypeError('not yet'); }); export const handler = async () => 1;`;
  const error = await initErrorOf(t, { 'index.mjs': index, 'sdk.mjs': SDK });
  assert.deepEqual([error.errorType, error.errorMessage], ['Runtime.BeforeSnapshotError', 'TypeError: not yet']);
});

test('a hook that is registered after init is not run, and said so; without the platform nothing is called', async (t) => {
  const late = `import { afterRestore } from './sdk.mjs'; export const handler = async () => afterRestore(() => { throw new Error('ran'); });`;
  const booted = await run(t, { files: { 'index.mjs': late, 'sdk.mjs': SDK } });
  const answer = await booted.invoke();
  assert.equal(answer.end, 'answered');
  assert.match(answer.logs.join('\n'), /afterRestore was called after init/);
  const sdk = await import('../../packages/sdk/index.js');
  assert.equal(sdk.restores, false);
  sdk.afterRestore(() => assert.fail('it ran'));
});
