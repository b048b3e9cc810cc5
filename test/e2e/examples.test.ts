import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { missingClang } from '../../runtimes/wasm/clang.testing.ts';
import { ROOT, pathForm, startPlatform } from './cli-platform.ts';
import type { Platform } from './cli-platform.ts';
import { eventually } from './platform.ts';

type Deployed = { readonly name: string; readonly url: string };

test('hello: TypeScript in two files answers by its URL, by host name and by path', async (t) => {
  const platform = await startPlatform(t);
  const { url, name } = await deployExample(platform, 'hello');
  const answer = await fetch(`${pathForm(platform, url)}/any/path?name=Ada`);
  assert.equal(answer.status, 200);
  const body = (await answer.json()) as { message: string; function: string; requestId: string };
  assert.deepEqual([body.message, body.function], ['Hello, Ada!', name]);
  const byHost = await getByHostName(platform, url, '?name=Eve');
  assert.equal(JSON.parse(byHost.toString()).message, 'Hello, Eve!');
  const invoked = await platform.hearth(['invoke', 'hello', '--payload', '{"name":"Bob"}']);
  assert.equal(JSON.parse(invoked.stdout).message, 'Hello, Bob!');
});

test('express: an unchanged application answers as it does on a port', async (t) => {
  const platform = await startPlatform(t);
  const url = pathForm(platform, (await deployExample(platform, 'express')).url);
  const home = await fetch(`${url}/`);
  assert.equal(home.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.match(await home.text(), /<h1>Notes<\/h1>/);

  const post = (body: string) => fetch(`${url}/notes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const created = await post('{"text":"grüße & milk"}');
  assert.equal(created.status, 201);
  assert.equal(created.headers.get('location'), '/notes/1');
  assert.match(created.headers.getSetCookie()[0] ?? '', /^last=1; Path=\/; HttpOnly$/);
  assert.deepEqual(await created.json(), { id: 1, text: 'grüße & milk' });
  assert.equal((await post('{}')).status, 400);
  assert.equal((await post('{')).status, 400);
  assert.equal(((await (await fetch(`${url}/notes?contains=${encodeURIComponent('grüße &')}`)).json()) as unknown[]).length, 1);
  assert.deepEqual(await (await fetch(`${url}/notes?contains=nothing`)).json(), []);
  assert.equal((await fetch(`${url}/notes/99`)).status, 404);

  const headers = await (await fetch(`${url}/headers`, { headers: { 'user-agent': 'e2e', cookie: 'a=1; b=2' } })).json();
  assert.deepEqual(
    [headers].map((each) => (each as { agent: string; cookie: string }).cookie),
    ['a=1; b=2'],
  );
  const pixel = await fetch(`${url}/pixel.png`);
  assert.equal(pixel.headers.get('content-type'), 'image/png');
  assert.equal((await sharp(await pixel.arrayBuffer()).metadata()).width, 1);
  assert.equal((await fetch(`${url}/broken`)).status, 500);
  assert.equal((await fetch(`${url}/nowhere`)).status, 404);
  assert.equal((await fetch(`${url}/notes`, { method: 'HEAD' })).status, 200);
});

test('thumbnail: native code scales a real JPEG, its own and one that is sent', async (t) => {
  const platform = await startPlatform(t);
  const url = pathForm(platform, (await deployExample(platform, 'thumbnail')).url);
  const own = await fetch(`${url}/?width=320`);
  assert.equal(own.status, 200, await own.clone().text());
  assert.equal(own.headers.get('content-type'), 'image/jpeg');
  const { format, width, height } = await sharp(await own.arrayBuffer()).metadata();
  assert.deepEqual([format, width, height], ['jpeg', 320, 213]);

  const photo = await readFile(join(ROOT, 'examples/thumbnail/photo.jpg'));
  const sent = await sharp(photo).resize({ width: 500, height: 500 }).png().toBuffer();
  const scaled = await fetch(`${url}/?width=100`, { method: 'POST', headers: { 'content-type': 'image/png' }, body: new Uint8Array(sent) });
  const square = await sharp(await scaled.arrayBuffer()).metadata();
  assert.deepEqual([square.format, square.width, square.height], ['jpeg', 100, 100]);

  assert.equal((await fetch(`${url}/?width=1`)).status, 400);
  const text = await fetch(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'no image' });
  assert.equal(text.status, 415);
});

test('edge: a module with a fetch function answers with cookies, bytes and a stream, and goes on after its answer', async (t) => {
  const platform = await startPlatform(t);
  const url = pathForm(platform, (await deployExample(platform, 'edge')).url);
  const home = await fetch(`${url}/`, { headers: { cookie: 'a=b; visits=4' } });
  assert.match(await home.text(), /Welcome, visit 5/);
  const [visits, last] = home.headers.getSetCookie();
  assert.deepEqual([visits, /^last=\d+;/.test(last!)], ['visits=5; Path=/; HttpOnly', true]);
  assert.equal(await (await fetch(`${url}/countdown`)).text(), '3\n2\n1\ndone\n');
  const bytes = new Uint8Array(1_000).fill(200);
  const signed = await fetch(`${url}/sign`, { method: 'POST', body: bytes });
  assert.equal(Buffer.from(await signed.bytes()).toString('hex'), createHash('sha256').update(bytes).digest('hex'));
  await eventually(async () => assert.match((await platform.hearth(['logs', 'edge', '--since', '10m'])).stdout, /signed 1000 bytes/));
  assert.deepEqual(await (await fetch(`${url}/items/7`, { headers: { 'user-agent': 'e2e' } })).json(), { id: '7', of: 'e2e' });
  assert.equal((await fetch(`${url}/sign`)).status, 404);
});

test('custom-runtime-sh: a shell script is a function', { skip: missing('curl') }, async (t) => {
  const platform = await startPlatform(t);
  await deployExample(platform, 'custom-runtime-sh');
  const invoked = await platform.hearth(['invoke', 'custom-runtime-sh', '--payload', '{"a":"b"}']);
  assert.deepEqual(JSON.parse(invoked.stdout), { greeting: 'Hello from Linux', event: { a: 'b' } });
});

test(
  'extension: a process beside a function says at its end what happened',
  { skip: process.platform === 'linux' ? false : 'extensions of Node stand still on Linux only' },
  async (t) => {
    const platform = await startPlatform(t);
    await platform.json(['layers', 'publish', 'invocation-summary', join('examples', 'extension', 'layer')]);
    await deployExample(platform, 'extension');
    for (const payload of ['{"name":"Ada"}', '{"name":"Bob"}']) {
      const invoked = await platform.hearth(['invoke', 'extension', '--payload', payload]);
      assert.match(invoked.stdout, /Hello, (Ada|Bob)!/, invoked.stderr);
    }
    await platform.hearth(['invoke', 'extension', '--payload', '{"fail":true}']);
    // What has changed has new instances: the old one comes to its end.
    const changed = { method: 'PUT', body: JSON.stringify({ MemorySize: 257 }), headers: { 'content-type': 'application/json' } };
    assert.equal((await fetch(`${platform.url}/2015-03-31/functions/extension/configuration`, changed)).status, 200);
    const said = 'summary: 3 invocations, 1 errors';
    await eventually(async () => {
      const log = (await platform.hearth(['logs', 'extension'])).stdout;
      assert.ok(log.includes(said) && log.includes('ended by spindown'), log);
      assert.ok(log.includes('EXTENSION Name: invocation-summary State: Ready Events: [SHUTDOWN]'), log);
    });
  },
);

test('custom-runtime-c: a C program is a function', { skip: missing('cc') }, async (t) => {
  const platform = await startPlatform(t);
  await deployExample(platform, 'custom-runtime-c');
  for (const served of [1, 2]) {
    const invoked = await platform.hearth(['invoke', 'custom-runtime-c', '--payload', '{"a":"b"}']);
    assert.deepEqual(JSON.parse(invoked.stdout), { served, event: { a: 'b' } });
  }
});

test('wasm-c: a WASI command has its event as standard input', { skip: missingClang() }, async (t) => {
  const platform = await startPlatform(t);
  await deployExample(platform, 'wasm-c');
  for (let i = 0; i < 2; i++) {
    const invoked = await platform.hearth(['invoke', 'wasm-c', '--payload', '{"text":"two words"}']);
    assert.deepEqual(JSON.parse(invoked.stdout), { greeting: 'Hello', bytes: 20, words: 3 });
  }
  const large = await platform.hearth(['invoke', 'wasm-c', '--tail', '--payload', JSON.stringify('x'.repeat(70_000))]);
  assert.deepEqual([large.code, JSON.parse(large.stdout).errorType], [4, 'Wasm.Exit']);
  assert.match(large.stderr, /the event is larger than 65536 bytes/);
});

test('wasm-assemblyscript: what init has made is there in each invocation', async (t) => {
  const platform = await startPlatform(t);
  await deployExample(platform, 'wasm-assemblyscript');
  for (const [n, prime] of [
    [999_983, true],
    [999_981, false],
    [2_000_000, null],
  ] as const) {
    const invoked = await platform.hearth(['invoke', 'wasm-assemblyscript', '--payload', `{"n":${n}}`]);
    assert.deepEqual(JSON.parse(invoked.stdout), { n, prime });
  }
});

test('wasm-wat: a text is a function, and each invocation finds its state as it was loaded', async (t) => {
  const platform = await startPlatform(t);
  await deployExample(platform, 'wasm-wat');
  for (const payload of ['{}', JSON.stringify('x'.repeat(100_000)), '{}']) {
    const invoked = await platform.hearth(['invoke', 'wasm-wat', '--payload', payload]);
    assert.deepEqual(JSON.parse(invoked.stdout), { calls: 1 }, invoked.stderr);
  }
});

test('web-server: a server of Python, unchanged, keeps a guest book', { skip: missing('/usr/bin/python3') }, async (t) => {
  const platform = await startPlatform(t);
  const url = pathForm(platform, (await deployExample(platform, 'web-server')).url);
  assert.match(await (await fetch(`${url}/`)).text(), /<h1>Guests<\/h1><ul><\/ul>/);
  const signed = await fetch(`${url}/`, { method: 'POST', body: new URLSearchParams({ entry: 'Grüße <b>' }), redirect: 'manual' });
  assert.deepEqual([signed.status, signed.headers.getSetCookie()], [303, ['signed=yes; Path=/']]);
  assert.match(await (await fetch(`${url}/`)).text(), /<li>Grüße &lt;b&gt;<\/li>/);
  assert.equal((await fetch(`${url}/`, { method: 'POST', body: '' })).status, 400);
  assert.equal((await fetch(`${url}/nowhere`)).status, 404);
});

/** Why a test is skipped that needs this command; false: it is there. */
function missing(command: string): string | false {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0 ? false : `there is no ${command}`;
}

async function deployExample(platform: Platform, name: string): Promise<Deployed> {
  return platform.json<Deployed>(['deploy', join('examples', name)]);
}

/** As curl does it: the function's host name in the Host header, sent to this machine. */
async function getByHostName(platform: Platform, functionUrl: string, path: string): Promise<Buffer> {
  const { port } = new URL(platform.url);
  const sent = request({ host: '127.0.0.1', port, path: `/${path}`, headers: { host: new URL(functionUrl).host }, agent: false });
  sent.end();
  return new Promise((resolve, reject) => {
    sent.on('response', (response) => resolve(buffer(response)));
    sent.on('error', reject);
  });
}
