import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { killAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { ROOT, runHearth, startPlatform } from './cli-platform.ts';
import type { Platform } from './cli-platform.ts';

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

/** Calls of ten functions at these seconds of the trace, each function so much later than the one before, as `hearth export trace` writes them. */
function exportOf(seconds: readonly number[], apartMs = 500): string {
  const calls = Array.from({ length: FUNCTIONS }, (_, index) =>
    seconds.map((second) => ({ function: `f${index}`, atMs: 1_795_310_400_000 + second * 1_000 + index * apartMs, durationMs: 20 })),
  ).flat();
  return [{ hearthTrace: 1, exportedMs: 0 }, ...calls, { end: true, invocations: calls.length }]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
}

test('a platform that is driven with a trace starts as often as predicted, and is left as it was', async (t) => {
  const cwd = temporaryDirectory(t);
  const platform = await startPlatform(t, ['--warming', 'fixed', '--keep-alive', '6s']);
  // At speed 30 idle instances are kept for 180 s of the trace: calls and timers may be late by seconds.
  await writeFile(join(cwd, 't.jsonl'), exportOf([0, 30, 390, 420, 780]));
  const ran = await platform.hearth(['replay', 't.jsonl', '--live', '--speed', '30', '--json'], { cwd });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  const { agrees, predicted, calls, failed, keepAliveMs } = JSON.parse(ran.stdout) as Record<string, unknown>;
  assert.deepEqual([agrees, predicted, calls, failed, keepAliveMs], [true, 2 * FUNCTIONS, 5 * FUNCTIONS, 0, 6_000]);
  assert.deepEqual(await platform.json(['list']), []);
  const slow = await platform.hearth(['replay', 't.jsonl', '--live', '--speed', '2'], { cwd });
  assert.equal(slow.code, 2);
  assert.match(slow.stderr, /--speed 2: give a number from 10/);
});

const RUNS_HERE = /hearth-replay-/;
/** What live replays have left where they make directories. */
const directories = async (parent: string) => (await readdir(parent)).filter((name) => RUNS_HERE.test(name));

test('without a platform one is started for a live replay, with the policy and the speed asked for, and taken away', async (t) => {
  const cwd = temporaryDirectory(t);
  const env = { TMPDIR: cwd };
  // Given up after half an hour where nothing else is known, held where the last gaps say so. Apart, so that no boot has to wait for another one.
  await writeFile(join(cwd, 't.jsonl'), exportOf([0, 1_815, 3_630, 3_945, 5_760], 20_000));
  const args = ['replay', 't.jsonl', '--live', '--policy', 'hazard:60000', '--speed', '120', '--json'];
  const ran = await runHearth(args, { cwd, env });
  assert.ok(ran.code === 0 || ran.code === 1, ran.stderr);
  const report = JSON.parse(ran.stdout) as Record<string, unknown> & { readonly late: { readonly maxMs: number } };
  const { agrees, predicted, calls, failed, policy, options, speed } = report;
  assert.deepEqual([calls, failed, policy, speed, ran.code], [5 * FUNCTIONS, 0, 'hazard', 120, agrees ? 0 : 1]);
  assert.deepEqual(options, { keepMs: 600_000, priceMiBSeconds: 60_000 });
  // Where calls were late their gaps were others, and the platform was as late with what it does between them.
  if (report.late.maxMs < 50) assert.deepEqual([agrees, predicted, report['few']], [true, 2 * FUNCTIONS, false], ran.stdout);
  assert.deepEqual(await directories(cwd), []);
  const child = spawn(process.execPath, [join(ROOT, 'bin/hearth.mjs'), 'replay', 't.jsonl', '--live', '--speed', '2'], {
    cwd,
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  killAfter(t, child);
  while ((await directories(cwd)).length === 0) await sleep(20);
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  assert.deepEqual(await ended, [130, null]);
  assert.deepEqual(await directories(cwd), []);
});

test('a platform at an endpoint is driven as it decides, and left alone where it decides otherwise than asked', async (t) => {
  const cwd = temporaryDirectory(t);
  const plain = await startPlatform(t);
  await writeFile(join(cwd, 't.jsonl'), exportOf([0, 240, 1_500, 2_760]));
  const refused = async (platform: Platform, args: readonly string[], message: RegExp) => {
    const ran = await platform.hearth(['replay', 't.jsonl', '--live', ...args], { cwd });
    assert.deepEqual([ran.code, ran.stdout], [2, ''], ran.stderr);
    assert.match(ran.stderr, message);
    assert.deepEqual(await platform.json(['list']), []);
  };
  await refused(plain, [], /policy "hazard".*"hearth up --warming hazard --warming-price 250000 --warming-speed 60", or leave --endpoint/s);
  await refused(plain, ['--policy', 'fixed:5', '--speed', '90'], /"hearth up --warming fixed --keep-alive 300s --warming-speed 90"/);
  const fast = await startPlatform(t, ['--warming', 'histogram', '--warming-speed', '240']);
  await refused(fast, ['--policy', 'hazard'], /decides otherwise: by "--warming histogram"/);
  await refused(fast, ['--speed', '60'], /runs --warming-speed 240: .*--warming histogram --warming-speed 60/);
  await refused(fast, ['--policy', 'histogram,fixed'], /give one policy/);
  await refused(fast, ['--limit-memory', '1GiB'], /--limit-memory and --svg are for a replay in simulated time/);
  const ran = await fast.hearth(['replay', 't.jsonl', '--live', '--json'], { cwd });
  const { policy, speed, calls, failed } = JSON.parse(ran.stdout) as Record<string, unknown>;
  assert.deepEqual([policy, speed, calls, failed], ['histogram', 240, 4 * FUNCTIONS, 0], ran.stderr);
  assert.deepEqual(await fast.json(['list']), []);
});

test('a platform says how it decides and at which speed, and takes none that makes no sense', async (t) => {
  const fast = await startPlatform(t, ['--warming-speed', '60', '--warming-price', '1000']);
  const told = async () => (await (await fetch(`${fast.url}/_hearth/warming`)).json()) as Record<string, unknown>;
  const { shared, ...decides } = await told();
  assert.deepEqual(decides, { policy: 'hazard', speed: 60, keepMs: 600_000, priceMiBSeconds: 1_000 });
  assert.ok(typeof shared === 'string' && shared.length > 1_000);
  const ran = await runHearth(['up', '--warming-speed', '0.5', '--port', '0']);
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /--warming-speed 0\.5: give a number from 1 to 1000/);
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
