import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from './temporary.ts';

/** What tests of this source, run by node:test in a process of their own, print, without what node:test says of times and places. */
function ran(t: TestContext, source: string): string {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'some.test.mjs');
  const closing = JSON.stringify(new URL('./closing.ts', import.meta.url).href);
  const say = `const say = (word) => () => void console.log('said ' + word); const fail = (word) => async () => { say(word)(); throw new Error(word + ' fails'); };`;
  writeFileSync(
    file,
    `import { suite, test } from 'node:test'; import { closeAfter, closeAfterAll, killAfter } from ${closing}; ${say}\n${source}`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, ['--test-reporter=spec', file], { env, encoding: 'utf8', timeout: 60_000 });
  assert.equal(stderr, '');
  return stdout;
}

const said = (output: string): string[] => [...output.matchAll(/^said (.*)$/gm)].map(([, word]) => word!);

test('the last opened is closed first, what fails keeps nothing else open, and all failures are told', (t) => {
  const output = ran(
    t,
    `test('one', (t) => {
      closeAfter(t, say('directory'));
      closeAfter(t, fail('server'));
      closeAfter(t, () => { closeAfter(t, say('opened by closing')); throw new Error('client fails'); });
    });`,
  );
  assert.deepEqual(said(output), ['opened by closing', 'server', 'directory']);
  for (const told of ['✖ one', '2 things', 'client fails', 'server fails']) assert.ok(output.includes(told), told);
});

test('of a test that fails itself, what could not be closed is told as well', (t) => {
  const output = ran(t, `test('one', (t) => { closeAfter(t, fail('server')); throw new Error('so does the test'); });`);
  for (const told of ['✖ one', 'server fails', 'so does the test']) assert.ok(output.includes(told), told);
});

test('what a test opens after its time is over is closed, too', (t) => {
  const late = `test('one', { timeout: 1 }, async (t) => {
    closeAfter(t, say('early'));
    await new Promise((resolve) => t.signal.addEventListener('abort', () => setTimeout(resolve, 10)));
    closeAfter(t, say('late'));
  });`;
  assert.deepEqual(said(ran(t, late)), ['early', 'late']);
});

test('a suite and a file close after all of their tests', (t) => {
  const output = ran(
    t,
    `closeAfterAll()(say('file'));
    suite('some', () => {
      const close = closeAfterAll();
      close(say('opened first'));
      test('one', () => close(fail('opened in a test')));
      test('two', say('two'));
    });
    test('three', say('three'));`,
  );
  assert.deepEqual(said(output), ['two', 'opened in a test', 'opened first', 'three', 'file']);
  assert.ok(output.includes('opened in a test fails'));
});

test('a process is killed, and has ended before the next is closed', (t) => {
  const output = ran(
    t,
    `import { spawn } from 'node:child_process';
    test('one', (t) => {
      const child = spawn('sleep', ['1000']);
      closeAfter(t, () => say(child.signalCode)());
      killAfter(t, child);
    });`,
  );
  assert.deepEqual(said(output), ['SIGKILL']);
});
