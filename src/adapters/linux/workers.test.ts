import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invoke, openTemplates, skip, valueOf } from './templates.testing.ts';

const COUNT = `
  import { Worker } from 'node:worker_threads';
  import threads from 'node:worker_threads';
  const source = "const { parentPort } = require('node:worker_threads'); parentPort.on('message', (n) => parentPort.postMessage(n + 1));";
  const start = () => new Worker(source, { eval: true });
  const ask = (worker, n) => new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); worker.postMessage(n); });`;

test('128 MiB are enough for worker threads made by the handler, one after the other and several at a time', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(`${COUNT}
    export const handler = async ({ count }) => {
      const workers = Array.from({ length: count }, start);
      const answers = await Promise.all(workers.map(ask));
      await Promise.all(workers.map((worker) => worker.terminate()));
      return answers;
    };`);
  assert.deepEqual(template.blockers, []);
  const instance = template.fork();
  for (let i = 0; i < 12; i++) assert.deepEqual(await valueOf(instance, { count: 1 }), [1]);
  assert.deepEqual(await valueOf(instance, { count: 4 }), [1, 2, 3, 4]);
  instance.kill();
  template.close();
});

test('a worker thread made at init lives on in an instance of its own', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(`${COUNT}
    const worker = start();
    await ask(worker, 0);
    export const handler = async ({ n }) => ask(worker, n);`);
  assert.ok(template.blockers.length > 0);
  for (const instance of [template.fork(), template.fork()]) {
    assert.equal(instance.start, 'boot');
    assert.deepEqual([await valueOf(instance, { n: 1 }), await valueOf(instance, { n: 2 })], [2, 3]);
    instance.kill();
    await instance.closed;
  }
  template.close();
});

test('Worker is what it was: a class to extend, whose instances are told apart, with options of its own', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(
    `${COUNT}
    class Mine extends Worker { mine = true; }
    export const handler = async () => {
      const worker = new Mine(new URL('./worker.mjs', import.meta.url), { workerData: 7, resourceLimits: { maxOldGenerationSizeMb: 16 } });
      // While it runs: afterwards there are none.
      const limit = worker.resourceLimits.maxOldGenerationSizeMb;
      const value = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      let refused;
      try { new Worker('relative without a dot'); } catch (error) { refused = error.code; }
      return [value, worker.mine, worker instanceof Worker, threads.Worker === Worker, Worker.name, limit, refused];
    };`,
    {},
    { 'worker.mjs': `import { parentPort, workerData } from 'node:worker_threads'; parentPort.postMessage(workerData);` },
  );
  assert.deepEqual(await valueOf(template.fork()), [7, true, true, true, 'Worker', 16, 'ERR_WORKER_PATH']);
  template.close();
});

test('memory outside of the heap stays limited beside a worker thread, and in it', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const template = await boot(`${COUNT}
    const hoard = "const hoard = []; const { parentPort } = require('node:worker_threads'); try { for (;;) { hoard.push(Buffer.alloc(1 << 20, 1)); parentPort.postMessage(hoard.length); } } catch (error) { parentPort.postMessage(error.name); }";
    export const handler = async ({ inside }) => {
      if (!inside) await ask(start(), 1);
      const kept = [];
      let most = 0;
      if (inside) {
        const worker = new Worker(hoard, { eval: true });
        return new Promise((resolve) => { worker.on('message', (n) => { if (typeof n === 'number') most = n; else resolve(most); }); worker.on('error', () => resolve(most)); worker.on('exit', () => resolve(most)); });
      }
      try { for (;;) kept.push(Buffer.alloc(1 << 20, 1)); } catch { most = kept.length; kept.length = 0; return most; }
    };`);
  for (const inside of [false, true]) {
    const instance = template.fork();
    const end = await invoke(instance, { inside });
    // The allocation that fails is JavaScript's own, which throws, or V8's, which ends the process.
    if (end.kind === 'answered') assert.ok(Number(end.value) <= 128, `${String(end.value)} MiB`);
    else if (end.kind === 'failed') assert.equal(end.error.errorType, 'RangeError');
    else assert.ok(end.kind === 'died' && end.exit.kind !== 'ended', JSON.stringify(end));
    instance.kill();
  }
  template.close();
});
