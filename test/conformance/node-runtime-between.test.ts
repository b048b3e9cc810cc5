/** What stays of an invocation for the next one: by either driver, since they have different ways to wait for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openTemplates, skip } from '../../src/adapters/linux/templates.testing.ts';
import type { Instance } from '../../src/ports/mod.ts';
import type { Answer } from './node-function.ts';
import { invoke, run } from './node-function.ts';

type Boot = (t: TestContext, code: string) => Promise<Instance>;

const spawned: Boot = async (t, code) => (await run(t, { files: { 'index.mjs': code } })).instance;
const forked: Boot = async (t, code) => (await (await openTemplates(t)).boot(code)).fork();

async function valueOf(instance: Instance, event: unknown, trace?: string): Promise<unknown> {
  const answer: Answer = await invoke(instance, event, trace === undefined ? {} : { trace }).answer;
  assert.equal(answer.end, 'answered', JSON.stringify(answer));
  return answer.value;
}

for (const [driver, boot, skipped] of [
  ['spawn', spawned, false],
  ['linux', forked, skip],
] as const) {
  test(
    `${driver}: each invocation finds its own trace in the environment, whatever was made of the one before`,
    { skip: skipped },
    async (t) => {
      const instance = await boot(
        t,
        `import { execFileSync } from 'node:child_process';
      const NAME = '_X_AMZN_TRACE_ID';
      export const handler = async ({ last }) => {
        const seen = process.env[NAME] ?? null;
        const listed = Object.keys(process.env).filter((name) => name === NAME).length;
        const inherited = execFileSync('/bin/sh', ['-c', 'echo $' + NAME]).toString().trim();
        if (last === 'set') process.env[NAME] = 'mine';
        if (last === 'delete') delete process.env[NAME];
        if (last === 'replace') process.env = { ...process.env };
        return [seen, inherited, listed];
      };`,
      );
      assert.deepEqual(await valueOf(instance, {}), [null, '', 0]);
      for (const [last, trace] of [
        ['set', 'Root=1-a'],
        ['delete', 'Root=1-b;Parent=1'],
        ['nothing', 'Root=1-c'],
        ['set', 'Root=1-é'],
        ['nothing', 'x'.repeat(2_000)],
        ['nothing', 'Root=1-d'],
      ] as const)
        assert.deepEqual(await valueOf(instance, { last }, trace), [trace, trace, 1]);
      assert.deepEqual(await valueOf(instance, { last: 'set' }), [null, '', 0]);
      assert.deepEqual(await valueOf(instance, { last: 'replace' }), ['mine', 'mine', 1]);
      assert.deepEqual(await valueOf(instance, {}, 'Root=1-e'), ['Root=1-e', 'Root=1-e', 1]);
    },
  );

  test(`${driver}: what a handler leaves to the event loop is done by the next invocation`, { skip: skipped }, async (t) => {
    const instance = await boot(
      t,
      `const done = [];
      export const handler = async ({ leave }) => {
        const before = [...done];
        if (leave) {
          process.nextTick(() => done.push('tick'));
          setImmediate(() => { done.push('immediate'); setImmediate(() => done.push('its immediate')); });
        }
        return before;
      };`,
    );
    for (let n = 0; n < 3; n++) assert.deepEqual(await valueOf(instance, {}), []);
    assert.deepEqual(await valueOf(instance, { leave: true }), []);
    assert.deepEqual(await valueOf(instance, {}), ['tick', 'immediate']);
    assert.deepEqual(await valueOf(instance, {}), ['tick', 'immediate', 'its immediate']);
  });

  test(`${driver}: timers, files and threads go on while handlers answer at once`, { skip: skipped }, async (t) => {
    const instance = await boot(
      t,
      `import { readFile } from 'node:fs/promises';
      import { Worker } from 'node:worker_threads';
      const done = new Set();
      export const handler = async ({ leave }) => {
        if (leave) {
          setTimeout(() => done.add('timer'), 1);
          setTimeout(() => done.add('unreferenced timer'), 1).unref();
          readFile('/etc/passwd').then(() => done.add('file'));
          const worker = new Worker('require("node:worker_threads").parentPort.postMessage(1)', { eval: true });
          worker.on('message', () => done.add('thread')).unref();
        }
        return done.size;
      };`,
    );
    await valueOf(instance, {});
    await valueOf(instance, { leave: true });
    while ((await valueOf(instance, {})) !== 4);
  });

  test(`${driver}: a rejection is unhandled when nothing has handled it after all that runs at once`, { skip: skipped }, async (t) => {
    const instance = await boot(
      t,
      `export const handler = async ({ lose }) => {
        const late = Promise.reject(new Error('late'));
        if (lose) return 'lost';
        for (let n = 0; n < 5; n++) await null;
        return late.catch((error) => error.message);
      };`,
    );
    for (let n = 0; n < 3; n++) assert.equal(await valueOf(instance, {}), 'late');
    assert.equal(await valueOf(instance, { lose: true }), 'lost');
    assert.deepEqual(await instance.closed, { kind: 'exited', code: 128 });
  });

  test(`${driver}: a handler that takes uncaught exceptions on itself goes on after them`, { skip: skipped }, async (t) => {
    const instance = await boot(
      t,
      `let caught = 0;
      export const handler = async ({ leave }) => {
        process.removeAllListeners('uncaughtException');
        process.on('uncaughtException', () => caught++);
        if (leave) process.nextTick(() => { throw new Error('from a tick'); });
        return caught;
      };`,
    );
    assert.equal(await valueOf(instance, {}), 0);
    for (let n = 0; n < 3; n++) assert.equal(await valueOf(instance, { leave: true }), n);
    assert.equal(await valueOf(instance, {}), 3);
  });
}
