import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { killAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { ROOT, pathForm, runHearth, startPlatform } from './cli-platform.ts';
import { eventually } from './platform.ts';

type Deployed = { readonly name: string; readonly url: string; readonly changed: readonly string[] };
type Entry = { readonly text: string; readonly requestId?: string };

for (const driver of ['auto', 'spawn']) {
  test(`from init to delete with --driver ${driver}`, async (t) => {
    const platform = await startPlatform(t, ['--driver', driver]);
    const cwd = temporaryDirectory(t);
    assert.equal((await runHearth(['init', 'hello'], { cwd })).code, 0);

    const created = await platform.json<Deployed>(['deploy', 'hello'], { cwd });
    assert.deepEqual(created.changed, ['created']);
    const byUrl = await fetch(`${pathForm(platform, created.url)}/any/path?name=Eve`);
    assert.deepEqual(await byUrl.json(), { message: 'Hello, Eve!' });

    const invoked = await platform.json<{ payload: unknown; log: string; requestId: string }>([
      'invoke',
      'hello',
      '--payload',
      '{"name":"Ada"}',
      '--tail',
    ]);
    assert.deepEqual(invoked.payload, { message: 'Hello, Ada!' });
    assert.match(invoked.log, /START RequestId[^]*greeting Ada[^]*REPORT RequestId/);

    const log = await platform.hearth(['logs', 'hello', '--json', '--since', '10m', '--request-id', invoked.requestId]);
    const entries = log.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Entry);
    assert.ok(
      entries.some(({ text }) => text.includes('greeting Ada')),
      log.stdout,
    );
    assert.ok(entries.every(({ requestId }) => requestId === invoked.requestId));

    assert.deepEqual((await platform.json<Deployed>(['deploy', 'hello'], { cwd })).changed, []);
    const index = join(cwd, 'hello/index.ts');
    await writeFile(index, (await readFile(index, 'utf8')).replace('Hello,', 'Welcome,'));
    await writeFile(join(cwd, 'hello/hearth.json'), JSON.stringify({ name: 'hello', timeout: 7, environment: { COLOUR: 'red' } }));
    assert.deepEqual((await platform.json<Deployed>(['deploy'], { cwd: join(cwd, 'hello') })).changed, ['code', 'configuration']);
    assert.match((await platform.hearth(['invoke', 'hello'])).stdout, /Welcome, world/);
    const shown = await platform.json<{ Timeout: number; Url: { FunctionUrl: string } }>(['get', 'hello']);
    assert.deepEqual([shown.Timeout, shown.Url.FunctionUrl], [7, created.url]);
    assert.equal((await platform.hearth(['url', 'hello'])).stdout.trim(), created.url);
    const grant = ['network', 'hello', 'public', 'tcp:db.internal:5432', '--api', 'control'];
    assert.equal(
      (await platform.hearth(grant)).stdout.trim(),
      'hello reaches public addresses, tcp:db.internal:5432; of the API it has: control',
    );
    assert.match((await platform.hearth(['get', 'hello'])).stdout, /network +public tcp:db\.internal:5432\n +api +control/);
    assert.match(
      (await platform.hearth(['network', 'hello', '*.example.com'])).stderr,
      /InvalidParameterValueException.*'\*\.example\.com'/,
    );
    assert.equal((await platform.json<{ network: unknown }>(['network', 'hello', '--default'])).network, null);
    assert.equal((await platform.json<unknown[]>(['list'])).length, 1);

    assert.equal((await platform.hearth(['delete', 'hello'])).code, 0);
    const gone = await platform.hearth(['invoke', 'hello', '--json']);
    assert.equal(gone.code, 1);
    assert.equal(JSON.parse(gone.stderr).error.code, 'ResourceNotFoundException');
    assert.equal(await platform.stop('SIGTERM'), 0);
  });
}

test('the streaming template streams', async (t) => {
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  await runHearth(['init', 'count', '--template', 'stream'], { cwd });
  const { url } = await platform.json<Deployed>(['deploy', 'count'], { cwd });
  const answer = await fetch(pathForm(platform, url));
  assert.equal(answer.headers.get('content-type'), 'text/plain');
  assert.equal(await answer.text(), '3\n2\n1\ndone\n');
});

test('the edge template greets, streams, and logs after its answer', async (t) => {
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  assert.equal((await runHearth(['init', 'greeter', '--template', 'edge'], { cwd })).code, 0);
  const url = pathForm(platform, (await platform.json<Deployed>(['deploy', 'greeter'], { cwd })).url);
  assert.deepEqual(await (await fetch(`${url}/?name=Ada`)).json(), { message: 'Hello, Ada!' });
  const stream = await fetch(`${url}/countdown`);
  assert.deepEqual([stream.headers.get('content-type'), await stream.text()], ['text/plain', '3\n2\n1\ndone\n']);
  assert.equal((await fetch(`${url}/nowhere`)).status, 404);
  await eventually(async () => assert.match((await platform.hearth(['logs', 'greeter', '--since', '10m'])).stdout, /greeted Ada/));
  const invoked = await platform.hearth(['invoke', 'greeter', '--payload', '{"name":"Ada"}']);
  assert.deepEqual([invoked.code, (JSON.parse(invoked.stdout) as { errorType: string }).errorType], [4, 'Runtime.NotAnHttpEvent']);
});

test('the wasm template answers with its event', async (t) => {
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  assert.equal((await runHearth(['init', 'module', '--template', 'wasm'], { cwd })).code, 0);
  await platform.json<Deployed>(['deploy', 'module'], { cwd });
  for (const event of [{ a: 'b' }, 'x'.repeat(100_000)]) {
    const invoked = await platform.hearth(['invoke', 'module', '--payload', JSON.stringify(event)]);
    assert.deepEqual(JSON.parse(invoked.stdout), event, invoked.stderr);
  }
});

test('the shell template answers with what it was given', async (t) => {
  if (spawnSync('sh', ['-c', 'command -v curl']).status !== 0) return t.skip('there is no curl');
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  assert.equal((await runHearth(['init', 'script', '--template', 'shell'], { cwd })).code, 0);
  await platform.json<Deployed>(['deploy', 'script'], { cwd });
  const invoked = await platform.hearth(['invoke', 'script', '--payload', '{"a":"b"}']);
  assert.deepEqual(JSON.parse(invoked.stdout), { message: 'Hello from the shell', event: { a: 'b' } });
  await eventually(async () => assert.match((await platform.hearth(['logs', 'script', '--since', '10m'])).stdout, /event of 9 bytes/));
});

test('a failing function ends invoke with code 4, and its stack trace shows the TypeScript source', async (t) => {
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  await runHearth(['init', 'broken'], { cwd });
  await writeFile(
    join(cwd, 'broken/index.ts'),
    `type Event = { a: number };\n\nexport async function handler(_event: Event) {\n  throw new TypeError('out of order');\n}\n`,
  );
  await platform.json(['deploy', 'broken'], { cwd });
  const ran = await platform.hearth(['invoke', 'broken']);
  assert.equal(ran.code, 4);
  assert.match(ran.stderr, /broken failed: TypeError: out of order/);
  const error = JSON.parse(ran.stdout) as { errorType: string; trace: string[] };
  assert.equal(error.errorType, 'TypeError');
  assert.match(error.trace.join('\n'), /index\.ts:4/);
});

test('a followed log shows what is logged from then on', async (t) => {
  const platform = await startPlatform(t);
  await platform.json(['deploy', 'examples/hello']);
  await platform.hearth(['invoke', 'hello', '--payload', '{"name":"before"}']);
  const follower = spawn(process.execPath, [join(ROOT, 'bin/hearth.mjs'), 'logs', 'hello', '--follow', '--endpoint', platform.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  killAfter(t, follower);
  const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]();
  await until(lines, 'greeting before');
  await platform.hearth(['invoke', 'hello', '--payload', '{"name":"after"}']);
  await until(lines, 'greeting after');
  const exit = once(follower, 'exit');
  follower.kill('SIGINT');
  assert.deepEqual(await exit, [0, null]);
});

test('what was deployed is there again after the platform was killed', async (t) => {
  const data = join(temporaryDirectory(t), 'data');
  const first = await startPlatform(t, [], data);
  const { url } = await first.json<Deployed>(['deploy', 'examples/hello']);
  assert.equal(await first.stop('SIGKILL'), 'SIGKILL');
  const second = await startPlatform(t, [], data);
  const answer = await fetch(`${pathForm(second, url)}/?name=Ada`);
  assert.equal(((await answer.json()) as { message: string }).message, 'Hello, Ada!');
});

test('with --auth the first key is made while the platform is down, and opens the door', async (t) => {
  const data = join(temporaryDirectory(t), 'data');
  const key = JSON.parse((await runHearth(['keys', 'create', '--data', data, '--description', 'first', '--json'])).stdout) as {
    accessKeyId: string;
    secretAccessKey: string;
  };
  const env = { AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey };
  const platform = await startPlatform(t, ['--auth'], data);
  const refused = await platform.hearth(['list', '--json']);
  assert.equal(JSON.parse(refused.stderr).error.code, 'MissingAuthenticationTokenException');
  assert.deepEqual(await platform.json(['list'], { env }), []);
  await platform.json(['deploy', 'examples/hello'], { env });
  assert.match((await platform.hearth(['invoke', 'hello', '--payload', '{"name":"Ada"}'], { env })).stdout, /Hello, Ada/);

  const second = await platform.json<{ accessKeyId: string }>(['keys', 'create', '--description', 'second'], { env });
  assert.equal((await platform.json<unknown[]>(['keys', 'list'], { env })).length, 2);
  await platform.json(['keys', 'delete', second.accessKeyId], { env });
  assert.equal((await platform.json<unknown[]>(['keys', 'list'], { env })).length, 1);
  const wrong = await platform.hearth(['list'], { env: { ...env, AWS_SECRET_ACCESS_KEY: 'wrong' } });
  assert.match(wrong.stderr, /^error InvalidSignatureException/);

  const nobody = await platform.hearth(['keys', 'delete', 'AKIANOBODY'], { env });
  assert.match(nobody.stderr, /^error ResourceNotFoundException/);

  const locked = await runHearth(['keys', 'list', '--data', data]);
  assert.equal(locked.code, 1);
  assert.match(locked.stderr, /^error DataDirectoryLocked/);
  assert.equal(await platform.stop('SIGINT'), 0);
  assert.match((await runHearth(['keys', 'delete', 'AKIANOBODY', '--data', data])).stderr, /^error ResourceNotFoundException/);
  assert.equal((await runHearth(['keys', 'delete', key.accessKeyId, '--data', data])).code, 0);
  assert.match((await runHearth(['keys', 'list', '--data', data])).stdout, /^No keys/);
});

test('a second platform on the same data, a taken port and an open address are refused with their codes', async (t) => {
  const platform = await startPlatform(t);
  const up = (...args: string[]) => runHearth(['up', '--json', ...args]);
  const code = async (...args: string[]) => JSON.parse((await up(...args)).stderr.trim().split('\n').at(-1)!).error.code as string;
  assert.equal(await code('--port', '0', '--data', platform.data), 'DataDirectoryLocked');
  const other = temporaryDirectory(t);
  assert.equal(await code('--port', new URL(platform.url).port, '--data', other), 'AddressInUse');
  assert.equal(await code('--port', '0', '--host', '0.0.0.0', '--data', other), 'ListenRefused');
  assert.equal(await code('--port', 'many', '--data', other), 'BadUsage');
});

test('hearth up takes a limit of memory and an order of eviction, and says which it does not understand', async (t) => {
  const platform = await startPlatform(t, ['--memory', '256MiB', '--evict', 'lru']);
  const stats = (await (await fetch(`${platform.url}/_hearth/stats`)).json()) as { host: { memoryMiB: number; shedding: boolean } };
  assert.equal(stats.host.memoryMiB, 256);
  assert.equal(stats.host.shedding, false);
  const other = temporaryDirectory(t);
  for (const memory of ['63MiB', '0%', '101%', '4GB', '-1GiB', '']) {
    const { code, stderr } = await runHearth(['up', '--json', '--port', '0', '--data', other, '--memory', memory]);
    assert.notEqual(code, 0, memory);
    assert.match(stderr, /BadUsage.*--memory/, memory);
  }
  assert.notEqual((await runHearth(['up', '--port', '0', '--data', other, '--evict', 'random'])).code, 0);
});

test('a platform that drains is ended at once by a second signal', async (t) => {
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  await runHearth(['init', 'slow'], { cwd });
  await writeFile(
    join(cwd, 'slow/index.ts'),
    `export const handler = async () => {\n  console.log('begun');\n  await new Promise((done) => setTimeout(done, 60_000));\n};\n`,
  );
  await writeFile(join(cwd, 'slow/hearth.json'), JSON.stringify({ name: 'slow', timeout: 60 }));
  await platform.json(['deploy', 'slow'], { cwd });
  const running = platform.hearth(['invoke', 'slow']);
  const log = await fetch(`${platform.url}/_hearth/functions/slow/logs?follow=1`);
  await until(createInterface({ input: Readable.fromWeb(log.body!) })[Symbol.asyncIterator](), 'begun');
  platform.process.kill('SIGTERM');
  // It has heard the first when it is ready no more. That and its echoes are one; the second comes later.
  await eventually(async () => {
    const answer = await fetch(`${platform.url}/_hearth/ready`).catch(() => undefined);
    assert.notEqual(answer?.status, 200);
  });
  await sleep(500);
  assert.equal(platform.process.exitCode, null, 'it waits for what runs');
  assert.equal(await platform.stop('SIGTERM'), 143);
  assert.notEqual((await running).code, 0);
});

test('doctor says what it found, and its exit code says whether functions are isolated', async () => {
  const ran = await runHearth(['doctor', '--json']);
  const diagnosis = JSON.parse(ran.stdout) as { driver: string; isolated: boolean; findings: readonly { name: string; ok: boolean }[] };
  assert.equal(ran.code, diagnosis.isolated ? 0 : 1);
  assert.equal(diagnosis.driver, diagnosis.isolated ? 'linux' : 'spawn');
  assert.ok(diagnosis.findings.length > 3);
  // It runs on the Node that comes with it, as these tests do.
  assert.equal(diagnosis.findings.find(({ name }) => name === 'node')?.ok, true);
});

async function until(lines: AsyncIterator<string>, wanted: string): Promise<void> {
  for (;;) {
    const { value, done } = await lines.next();
    assert.ok(!done, `the log ended without ${wanted}`);
    if (value.includes(wanted)) return;
  }
}
