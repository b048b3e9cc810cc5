import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { killAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { ROOT, runHearth, startPlatform } from './cli-platform.ts';

const MINUTES = 240;
const row = (name: string, trigger: string, active: (minute: number) => number) =>
  `o,a-${name},${name},${trigger},${Array.from({ length: MINUTES }, (_, minute) => active(minute)).join(',')}\n`;
const INVOCATIONS =
  `HashOwner,HashApp,HashFunction,Trigger,${Array.from({ length: MINUTES }, (_, minute) => 480 + minute).join(',')}\n` +
  row('often', 'http', (minute) => (minute % 3 === 0 ? 2 : 0)) +
  row('timer', 'timer', (minute) => (minute % 15 === 0 ? 1 : 0)) +
  row('rare', 'queue', (minute) => (minute % 100 === 7 ? 1 : 0));
const MEMORY = 'HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a-often,1,100\no,a-timer,1,50\no,a-rare,1,50\n';

type Policy = { readonly name: string; readonly coldStarts: number; readonly relativeMemory: number };
type Report = { readonly trace: object; readonly warnings: readonly string[]; readonly policies: readonly Policy[] };

test('policies are replayed over CSV files: as a table, as JSON and as a chart, the same each time', async (t) => {
  const cwd = temporaryDirectory(t);
  await writeFile(join(cwd, 'inv.csv'), INVOCATIONS);
  await writeFile(join(cwd, 'mem.csv'), MEMORY);
  const args = ['replay', 'inv.csv', 'mem.csv', '--policy', 'none,fixed:10,fixed:20,lru'];
  const table = await runHearth(args, { cwd });
  assert.equal(table.code, 0, table.stderr);
  assert.match(
    table.stdout,
    /^inv\.csv: 3 functions, 240 minutes, 179 calls\n\nPOLICY +COLD STARTS +P50 +P75 +P90 +MEMORY +P99 DELAY\nnone +96 /,
  );
  assert.equal(table.stderr, 'warning 3 functions without a duration: 1000 ms assumed\n');
  const json = await runHearth([...args, '--json', '--svg', 'one.svg'], { cwd });
  const report = JSON.parse(json.stdout) as Report;
  assert.deepEqual(report.trace, { name: 'inv.csv', format: 'azure', functions: 3, minutes: 240, calls: 179, schedules: 1 });
  const [none, ten, twenty, lru] = report.policies;
  // All but the first of each; then the timer and the rare one; then the rare one.
  assert.deepEqual([none!.coldStarts, ten!.coldStarts, twenty!.coldStarts, lru!.coldStarts], [96, 17, 2, 0]);
  assert.equal(ten!.relativeMemory, 1);
  assert.ok(none!.relativeMemory < 1 && twenty!.relativeMemory > 1 && lru!.relativeMemory > twenty!.relativeMemory);
  assert.equal((await runHearth([...args, '--json', '--svg', 'two.svg'], { cwd })).stdout, json.stdout);
  const chart = await readFile(join(cwd, 'one.svg'), 'utf8');
  assert.match(chart, /^<svg [^>]*>\n<title id="title">inv\.csv: cold starts against memory<\/title>/);
  assert.match(chart, /<title>fixed 10 min: 17 cold starts, memory 1\.00<\/title>/);
  assert.equal(await readFile(join(cwd, 'two.svg'), 'utf8'), chart);
  const limited = JSON.parse((await runHearth([...args, '--json', '--limit-memory', '50%'], { cwd })).stdout) as Report;
  assert.ok(limited.policies[3]!.coldStarts > 0 && limited.policies[3]!.relativeMemory < 1);
});

test('a trace that cannot be read, or makes no sense, ends with its code and changes nothing', async (t) => {
  const cwd = temporaryDirectory(t);
  await writeFile(join(cwd, 'bad.csv'), INVOCATIONS.replace('timer,1,', 'timer,many,'));
  await writeFile(join(cwd, 'good.csv'), INVOCATIONS);
  const refused = async (args: readonly string[], code: number, message: RegExp) => {
    const ran = await runHearth(['replay', ...args], { cwd });
    assert.deepEqual([ran.code, ran.stdout], [code, ''], ran.stderr);
    assert.match(ran.stderr, message);
  };
  await refused(['bad.csv'], 1, /^error TraceInvalid: bad\.csv:3: column 5 \(480\): "many" is no whole number/);
  await refused(['nowhere.csv'], 1, /^error TraceInvalid: .*nowhere\.csv: cannot be read \(ENOENT\)/);
  await refused(['.', '--format', 'compact'], 1, /there is no trace in this directory/);
  await refused([], 2, /^error BadUsage/);
  for (const [option, value] of [
    ['--policy', 'magic'],
    ['--policy', 'fixed:soon'],
    ['--policy', ','],
    ['--price', '-1'],
    ['--limit-memory', '12 parsecs'],
    ['--limit-memory', '0%'],
    ['--from', '240'],
    ['--to', '0'],
    ['--seed', '1.5'],
    ['--resolution', 'hours'],
    ['--format', 'xml'],
    ['--svg', 'no/such/folder.svg'],
  ] as const)
    await refused(
      ['good.csv', option, value, ...(option === '--policy' ? [] : ['--policy', 'none'])],
      2,
      /^(warning .*\n)*error BadUsage: /,
    );
});

test('what a platform has recorded is exported, by name or without names, and replayed', async (t) => {
  const cwd = temporaryDirectory(t);
  const platform = await startPlatform(t);
  await runHearth(['init', 'hello'], { cwd });
  const { url } = await platform.json<{ url: string }>(['deploy', 'hello'], { cwd });
  await platform.json(['invoke', 'hello']);
  const answer = get({ port: new URL(platform.url).port, headers: { host: new URL(url).host } });
  const [response] = (await once(answer, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  await text(response);
  const exported = await platform.hearth(['export', 'trace']);
  assert.equal(exported.code, 0, exported.stderr);
  const lines = exported.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(lines[0]!['hearthTrace'], 1);
  const calls = lines.slice(1, -1);
  assert.deepEqual(lines.at(-1), { end: true, invocations: calls.length });
  assert.ok(calls.length === 2 && calls.every((call) => call['function'] === 'hello' && call['status'] === 'ok'), exported.stdout);
  assert.deepEqual(
    calls.map(({ trigger }) => trigger),
    ['invoke', 'http'],
  );
  await writeFile(join(cwd, 'mine.jsonl'), exported.stdout);
  const report = JSON.parse((await runHearth(['replay', 'mine.jsonl', '--json'], { cwd })).stdout) as Report;
  assert.deepEqual(
    { ...report.trace, minutes: 0 },
    { name: 'mine.jsonl', format: 'hearth', functions: 1, minutes: 0, calls: calls.length, schedules: 0 },
  );
  const anonymous = (await platform.hearth(['export', 'trace', '--anonymous', '--function', 'hello'])).stdout;
  assert.doesNotMatch(anonymous, /hello/);
  assert.match(anonymous, /^\{[^\n]+"anonymous":true\}\n\{"function":"[\da-f]{16}"/);
  assert.match((await platform.hearth(['export', 'trace', '--since', '2100-01-01'])).stdout, /\n\{"end":true,"invocations":0\}\n$/);
  assert.equal((await platform.hearth(['export', 'trace', '--function', 'nobody'])).code, 1);
  assert.equal((await platform.hearth(['export', 'trace', '--since', 'soon'])).code, 2);
});

const FUNCTIONS = 10;

/** Calls of ten functions at these seconds of the trace, as `hearth export trace` writes them. */
function exportOf(seconds: readonly number[]): string {
  const calls = Array.from({ length: FUNCTIONS }, (_, index) =>
    seconds.map((second) => ({ function: `f${index}`, atMs: 1_795_310_400_000 + second * 1_000 + index * 500, durationMs: 20 })),
  ).flat();
  return [{ hearthTrace: 1, exportedMs: 0 }, ...calls, { end: true, invocations: calls.length }]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
}

test('a platform that is driven with a trace starts as often as predicted, and is left as it was', async (t) => {
  const cwd = temporaryDirectory(t);
  const platform = await startPlatform(t, ['--warming', 'fixed', '--keep-alive', '3s']);
  // At speed 60 idle instances are kept for 180 s of the trace.
  await writeFile(join(cwd, 't.jsonl'), exportOf([0, 30, 390, 420, 780]));
  const ran = await platform.hearth(['replay', 't.jsonl', '--live', '--speed', '60', '--json'], { cwd });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  const { agrees, predicted, calls, failed, keepAliveMs } = JSON.parse(ran.stdout) as Record<string, unknown>;
  assert.deepEqual([agrees, predicted, calls, failed, keepAliveMs], [true, 2 * FUNCTIONS, 5 * FUNCTIONS, 0, 3_000]);
  assert.deepEqual(await platform.json(['list']), []);
  const slow = await platform.hearth(['replay', 't.jsonl', '--live', '--speed', '2'], { cwd });
  assert.equal(slow.code, 2);
  assert.match(slow.stderr, /--speed 2: give a number from 20/);
});

test('a platform whose policy looks further ahead than a trace is driven for is left alone', async (t) => {
  const cwd = temporaryDirectory(t);
  const platform = await startPlatform(t);
  await writeFile(join(cwd, 't.jsonl'), exportOf([0, 30]));
  const ran = await platform.hearth(['replay', 't.jsonl', '--live'], { cwd });
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /policy "hazard".*--warming fixed --keep-alive/s);
});

test('a live replay that is interrupted takes its functions away', async (t) => {
  const cwd = temporaryDirectory(t);
  const platform = await startPlatform(t, ['--warming', 'fixed']);
  await writeFile(join(cwd, 't.jsonl'), exportOf([0, 3_600]));
  const args = [join(ROOT, 'bin/hearth.mjs'), 'replay', 't.jsonl', '--live', '--speed', '1', '--endpoint', platform.url];
  const child = spawn(process.execPath, args, { cwd, stdio: 'ignore' });
  killAfter(t, child);
  const named = async () => (await platform.json<readonly { FunctionName: string }[]>(['list'])).map(({ FunctionName }) => FunctionName);
  while ((await named()).length < FUNCTIONS) await sleep(50);
  assert.ok((await named()).every((name) => name.startsWith('hearth-replay-')));
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  assert.deepEqual(await ended, [130, null]);
  assert.deepEqual(await named(), []);
});
