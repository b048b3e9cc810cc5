import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { manualClock } from '../../kernel/mod.ts';
import type { LogFields } from '../../kernel/mod.ts';
import { fileName } from './log-files.ts';
import { FileFunctionLogs } from './mod.ts';
import type { FunctionLogsLimits } from './mod.ts';

async function open(t: TestContext, limits: Partial<FunctionLogsLimits> = {}, directory = temporaryDirectory(t)) {
  const clock = manualClock();
  const failures: string[] = [];
  const note = (_fields: LogFields, message: string) => void failures.push(message);
  const logs = await FileFunctionLogs.open({ directory, clock, limits, log: { debug: note, info: note, warn: note, error: note } });
  closeAfter(t, () => logs.close());
  return { logs, directory, clock, failures };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Without asking the logs to flush, which would write by itself. */
async function written(path: string): Promise<void> {
  while (!existsSync(path) || statSync(path).size === 0) await turns(1);
}

const line = (timeMs: number, functionName = 'hello', text = `line ${timeMs}`) => ({ functionName, timeMs, text });
const times = (entries: readonly { readonly timeMs: number }[]) => entries.map((entry) => entry.timeMs);

test('entries are written in groups by the clock, without anybody asking', async (t) => {
  const { logs, directory, clock } = await open(t);
  logs.append(line(1));
  logs.append(line(2));
  assert.deepEqual(readdirSync(directory), []);
  clock.advance(49);
  await turns(20);
  assert.deepEqual(readdirSync(directory), []);
  clock.advance(1);
  await written(join(directory, 'hello.log'));
  assert.equal(readFileSync(join(directory, 'hello.log'), 'utf8'), '{"t":1,"text":"line 1"}\n{"t":2,"text":"line 2"}\n');
  logs.append(line(3));
  await logs.flush();
  assert.equal(readFileSync(join(directory, 'hello.log'), 'utf8').split('\n').length, 4);
});

test('much waiting output is written before the delay is over', async (t) => {
  const { logs, directory, clock } = await open(t, { flushBytes: 1_000 });
  for (let index = 0; index < 20; index++) logs.append(line(index));
  clock.advance(0);
  await written(join(directory, 'hello.log'));
});

test('files rotate and a function keeps only so many, its newest lines', async (t) => {
  const { logs, directory } = await open(t, { fileBytes: 1_000, filesPerFunction: 2 });
  for (let index = 0; index < 1_000; index++) {
    logs.append(line(index));
    if (index % 7 === 0) await logs.flush();
  }
  const found = times(await logs.read('hello', {}));
  assert.deepEqual(readdirSync(directory).toSorted(), ['hello.log', 'hello.log.1']);
  for (const name of readdirSync(directory)) assert.ok(statSync(join(directory, name)).size <= 1_000);
  assert.equal(found.at(-1), 999);
  assert.deepEqual(
    found,
    Array.from({ length: found.length }, (_, index) => 1_000 - found.length + index),
  );
  assert.ok(found.length > 40);
});

test('all functions together stay within the total, the quiet ones lose theirs first', async (t) => {
  const { logs, directory } = await open(t, { fileBytes: 1_000, filesPerFunction: 2, totalBytes: 3_000 });
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    for (let index = 0; index < 30; index++) logs.append(line(index, name));
    await logs.flush();
  }
  const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  assert.ok(bytes <= 3_000, `${bytes} bytes`);
  assert.deepEqual(await logs.read('a', {}), []);
  assert.equal((await logs.read('e', {})).length, 30);
});

test('the bounds hold for what an earlier process left', async (t) => {
  const directory = temporaryDirectory(t);
  for (const name of ['old.log', 'old.log.1', 'old.log.2']) writeFileSync(join(directory, name), '{"t":1,"text":"x"}\n'.repeat(10));
  const { logs } = await open(t, { totalBytes: 200 }, directory);
  assert.deepEqual(readdirSync(directory), ['old.log']);
  assert.equal((await logs.read('old', {})).length, 10);
});

test('a line that a crash left torn is skipped, and the next one begins on its own', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'hello.log'), '{"t":1,"text":"whole"}\n{"t":2,"text":"to');
  const { logs } = await open(t, {}, directory);
  assert.deepEqual(times(await logs.read('hello', {})), [1]);
  logs.append(line(3));
  assert.deepEqual(times(await logs.read('hello', {})), [1, 3]);
});

test('lines across the boundaries of reads come back whole, in order', async (t) => {
  const { logs } = await open(t);
  const texts = Array.from({ length: 60 }, (_, index) => 'ü'.repeat(index * 311));
  texts.forEach((text, index) => logs.append(line(index, 'hello', text)));
  assert.deepEqual(
    (await logs.read('hello', {})).map((entry) => entry.text),
    texts,
  );
});

test('a log from before starts were recorded is read as it was, and a start beside long lines is found', async (t) => {
  const directory = temporaryDirectory(t);
  const old =
    '{"t":10,"id":"old","end":22,"version":"$LATEST","ms":12.34,"billed":13,"memory":128,"used":40,"init":1.5}\n' +
    '{"t":11,"id":"old","level":"INFO","text":"\\"id\\":\\"new\\" is said here"}\n' +
    '{"t":12,"id":"torn","warm":"id';
  writeFileSync(join(directory, 'hello.log'), old);
  const { logs } = await open(t, {}, directory);
  assert.deepEqual(
    (await logs.read('hello', {})).map(({ text }) => text.split(' ')[0]),
    ['START', 'END', 'REPORT', '"id":"new"'],
  );
  assert.deepEqual(await logs.starts('hello', {}), []);
  assert.equal(await logs.findStart('old', ['hello']), undefined);
  for (let n = 0; n < 5; n++) {
    const steps = [{ name: 'fork ordered', atMs: n }];
    logs.started({ id: `new-${n}`, functionName: 'hello', version: '1', timeMs: n, start: { kind: 'fork', cause: 'all busy', steps } });
    logs.append(line(n, 'hello', 'x'.repeat(200_000)));
  }
  for (let n = 0; n < 5; n++) assert.equal((await logs.findStart(`new-${n}`, ['hello']))!.totalMs, n);
  assert.equal((await logs.starts('hello', { kind: 'fork' })).length, 5);
});

test('over the bound of memory the oldest waiting entries are dropped, and a line says how many', async (t) => {
  const { logs } = await open(t, { bufferBytes: 10_000 });
  for (let index = 0; index < 5_000; index++) logs.append(line(index));
  const [notice, ...kept] = await logs.read('hello', { limit: 5_000 });
  assert.match(notice!.text, new RegExp(`^${5_000 - kept.length} log entries were dropped here`));
  assert.equal(notice!.level, 'WARN');
  assert.ok(kept.length > 50 && kept.length < 100);
  assert.equal(kept.at(-1)!.timeMs, 4_999);
});

test('when files cannot be written, lines are counted, reported once, and the count is told when they can be again', async (t) => {
  const { logs, directory, failures } = await open(t);
  mkdirSync(join(directory, 'hello.log'));
  for (const timeMs of [1, 2, 3]) {
    logs.append(line(timeMs));
    await logs.flush();
  }
  assert.deepEqual(failures, ['function logs cannot be written; lines are dropped']);
  logs.append(line(4, 'other'));
  assert.deepEqual(times(await logs.read('other', {})), [4]);
  rmSync(join(directory, 'hello.log'), { recursive: true });
  logs.append(line(5));
  const [notice, entry] = await logs.read('hello', {});
  assert.match(notice!.text, /^3 log entries were dropped here/);
  assert.equal(entry!.timeMs, 5);
});

test('a log that somebody writes to or deletes meanwhile does no harm', async (t) => {
  const { logs, directory } = await open(t);
  logs.append(line(1));
  await logs.flush();
  appendFileSync(join(directory, 'hello.log'), 'not ours\n{"t":"no","text":1}\nnull\n');
  logs.append(line(2));
  assert.deepEqual(times(await logs.read('hello', {})), [1, 2]);
  rmSync(join(directory, 'hello.log'));
  logs.append(line(3));
  assert.deepEqual(times(await logs.read('hello', {})), [3]);
});

test('file names are safe and apart for any function name', () => {
  const names = ['hello', 'Hello', 'HELLO', '../x', '/etc/passwd', '', '.', 'a.log', 'ü', 'x'.repeat(1_000)];
  const files = names.map(fileName);
  assert.equal(new Set(files.map((name) => name.toLowerCase())).size, names.length);
  for (const name of files) assert.match(name, /^[a-z0-9_-]{0,64}(\.[0-9a-f]{32})?$/);
  assert.equal(files[0], 'hello');
});
