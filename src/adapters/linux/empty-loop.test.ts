/** What an instance answers when nothing is left that could settle its handler's promise, whatever it has had Node and V8 do before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invoke, openTemplates, skip } from './templates.testing.ts';

const WORK: Readonly<Record<string, string>> = {
  nothing: '',
  'a timer': 'await new Promise((resolve) => setTimeout(resolve, 5));',
  'a file': "await fs.readFile('/etc/hosts');",
  // V8 gives these tasks to threads that a fork does not have.
  garbage: 'for (let i = 0, kept = []; i < 200; i++) kept[i % 20] = new Array(100_000).fill(i);',
  WebAssembly: 'await WebAssembly.instantiate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));',
  'a child process': "await once(spawn('/bin/true'), 'exit');",
  'a worker thread': "await once(new Worker('1', { eval: true }), 'exit');",
  'the thread pool': "await new Promise((resolve) => pbkdf2('a', 'b', 1_000, 32, 'sha256', resolve));",
};

test('a promise that nothing is left to settle is an error, whatever was done before', { skip }, async (t) => {
  const template = await (
    await openTemplates(t)
  ).boot(`
    import fs from 'node:fs/promises';
    import { spawn } from 'node:child_process';
    import { pbkdf2 } from 'node:crypto';
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    const work = { ${Object.entries(WORK)
      .map(([name, code]) => `'${name}': async () => { ${code} }`)
      .join(', ')} };
    export const handler = async ({ name }) => {
      await work[name]();
      await new Promise(() => {});
    };`);
  for (const name of Object.keys(WORK)) {
    await t.test(name, async () => {
      const instance = template.fork();
      // The second time the first answer lies behind, too.
      for (let i = 0; i < 2; i++) {
        const end = await invoke(instance, { name });
        assert.ok(end.kind === 'failed' && end.error.errorType === 'Runtime.NodeJsExit', JSON.stringify(end));
      }
    });
  }
});
