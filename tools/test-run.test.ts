/** With files that hang in each of the ways there are. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { killAfter } from '../test/closing.ts';
import { temporaryDirectory } from '../test/temporary.ts';
import { readProcesses } from './processes.ts';
import type { Limits } from './test-run.ts';

const LONG = { testMs: 60_000, patienceMs: 60_000, fileMs: 60_000, runMs: 60_000 };
/** A process that outlives whoever started it, which writes its pid down. */
const STARTS = `
  import { spawn } from 'node:child_process';
  import { writeFileSync } from 'node:fs';
  const child = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true });
  writeFileSync(import.meta.filename + '.pid', String(child.pid));`;
const TEST = `import { test } from 'node:test';`;

/** What a run of these files ends with: its exit code, what it said, whether what the files have started is gone. */
async function run(t: TestContext, files: Readonly<Record<string, string>>, limits: Partial<Limits>) {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'some'));
  const names = Object.keys(files).map((name) => `some/${name}.test.mjs`);
  for (const [i, source] of Object.values(files).entries()) writeFileSync(join(directory, names[i]!), source);
  const options = { directory, files: names, atOnce: 2, limits: { ...LONG, ...limits } };
  const script = `import { runTests } from ${JSON.stringify(new URL('./test-run.ts', import.meta.url).href)};
    process.exitCode = await runTests(${JSON.stringify(options)});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  killAfter(t, child);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  const pidFile = (name: string) => join(directory, `some/${name}.test.mjs.pid`);
  /** Resolves when what the file has started is gone, which takes a moment once it is killed. */
  const gone = async (name: string) => {
    const started = Number(readFileSync(pidFile(name), 'utf8'));
    while (readProcesses().some(({ pid, state }) => pid === started && state !== 'Z')) await wait(20);
  };
  return { code: code as number | null, output: out + err, gone, began: (name: string) => existsSync(pidFile(name)) };
}

test('files whose tests pass and whose processes end, pass', async (t) => {
  const { code, output } = await run(t, { good: `${TEST} test('good', () => {});` }, {});
  assert.equal(code, 0, output);
  assert.match(output, /✔ good/);
});

test('a file whose process lives on after its tests fails, and says what is open; what it has started goes with it', async (t) => {
  const open = `${TEST}${STARTS} import { createServer } from 'node:net'; test('passes', () => void createServer().listen(0));`;
  const { code, output, gone } = await run(t, { open, good: `${TEST} test('good', () => {});` }, { patienceMs: 2_000 });
  assert.equal(code, 1, output);
  assert.match(output, /✔ passes[^]*✖ some\/open\.test\.mjs/);
  assert.match(output, /some\/open\.test\.mjs: its tests are done[^]*open: .*TCPServerWrap[^]*still running: \d+ sleep 1000/);
  assert.match(output, /✔ good/);
  await gone('open');
});

test('tests that are added later than the patience lasts keep their file alive', async (t) => {
  const later = `${TEST} test('first', () => {}); setTimeout(() => test('later', () => new Promise((done) => setTimeout(done, 2_500))), 300);`;
  const { code, output } = await run(t, { later }, { patienceMs: 2_000 });
  assert.equal(code, 0, output);
  assert.match(output, /✔ later/);
});

test('a file that takes too long is ended, even when it spins; the others are run', async (t) => {
  const files = {
    spins: `${TEST}${STARTS} for (;;);`,
    waits: `await new Promise((done) => setTimeout(done, 1e6));`,
    good: `${TEST} test('good', () => {});`,
  };
  const { code, output, gone } = await run(t, files, { fileMs: 12_000 });
  assert.equal(code, 1, output);
  for (const name of ['spins', 'waits']) {
    assert.match(output, new RegExp(`a file may take 12 s, and is ended:\n  some/${name}\\.test\\.mjs`));
    assert.match(output, new RegExp(`✖ some/${name}\\.test\\.mjs`));
  }
  assert.match(output, /✔ good/);
  await gone('spins');
});

test('a run that takes too long says what is running still, and ends with all of it', async (t) => {
  const hangs = `${TEST}${STARTS} test('hangs', () => new Promise((done) => setTimeout(done, 1e6)));`;
  const bad = `${TEST} test('bad', () => { throw new Error('this is bad'); });`;
  const { code, output, gone, began } = await run(t, { bad, hangs, spins: `${STARTS} for (;;);`, third: hangs }, { runMs: 12_000 });
  assert.equal(code, 1, output);
  assert.match(
    output,
    /all tests together may take 12 s[^]*\n  some\/hangs\.test\.mjs\n    has started \d+ sleep 1000\n  some\/spins\.test\.mjs/,
  );
  assert.match(output, /this is bad/);
  for (const name of ['hangs', 'spins']) await gone(name);
  assert.equal(began('third'), false);
});
