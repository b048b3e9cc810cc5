/** Functions in Python, deployed and called as users do it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PublishLayerVersionCommand, UpdateFunctionUrlConfigCommand } from '@aws-sdk/client-lambda';
import { findInterpreter } from '../../runtimes/python/interpreter.ts';
import { temporaryDirectory } from '../temporary.ts';
import { pathForm, startPlatform } from './cli-platform.ts';
import { configurationOf, layBesideCode, startIsolated, zipOf } from './platform.ts';

process.env['PATH'] = `/usr/bin:${process.env['PATH']}`;
const found = await findInterpreter('python3.11');
const skip = typeof found === 'string' ? found : false;

type Deployed = { readonly name: string; readonly url: string };

for (const driver of ['auto', 'spawn']) {
  test(`python-hello: deployed by its directory, called by its URL and by name, --driver ${driver}`, { skip }, async (t) => {
    const platform = await startPlatform(t, ['--driver', driver]);
    const { url } = await platform.json<Deployed>(['deploy', join('examples', 'python-hello')]);
    const answer = await fetch(`${pathForm(platform, url)}/any/path?name=Ada`);
    const body = (await answer.json()) as { message: string; function: string };
    assert.deepEqual([answer.status, body.message, body.function], [200, 'Hello, Ada!', 'python-hello']);
    const invoked = await platform.hearth(['invoke', 'python-hello', '--payload', '{"name":"Bob"}']);
    assert.equal(JSON.parse(invoked.stdout).message, 'Hello, Bob!');
    const logs = await platform.hearth(['logs', 'python-hello']);
    assert.match(logs.stdout, /\[INFO\]\s\S+\s[0-9a-f-]{36}\sgreeting Bob/);
  });
}

test('a project of the template answers', { skip }, async (t) => {
  const platform = await startPlatform(t);
  const directory = temporaryDirectory(t);
  await platform.json(['init', 'greeter', '--template', 'python'], { cwd: directory });
  await platform.json(['deploy', 'greeter'], { cwd: directory });
  const { stdout } = await platform.hearth(['invoke', 'greeter', '--payload', '{"name":"Ada"}']);
  assert.deepEqual(JSON.parse(stdout), { message: 'Hello, Ada!' });
});

test('python-flask: an unchanged application answers as it does on a port', { skip: skip || withoutFlask() }, async (t) => {
  const platform = await startPlatform(t);
  const url = pathForm(platform, (await platform.json<Deployed>(['deploy', join('examples', 'python-flask')])).url);
  const home = await fetch(`${url}/`);
  assert.equal(home.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.match(await home.text(), /<h1>Notes<\/h1>/);
  const post = (body: string) => fetch(`${url}/notes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const created = await post('{"text":"grüße & milk"}');
  assert.equal(created.status, 201);
  assert.match(created.headers.getSetCookie()[0] ?? '', /^last=1; HttpOnly; Path=\/$/);
  assert.deepEqual(await created.json(), { id: 1, text: 'grüße & milk' });
  assert.equal((await post('{')).status, 400);
  assert.equal(((await (await fetch(`${url}/notes?contains=${encodeURIComponent('grüße &')}`)).json()) as unknown[]).length, 1);
  assert.equal((await fetch(`${url}/nowhere`)).status, 404);
  assert.equal((await fetch(`${url}/`, { method: 'HEAD' })).status, 200);
});

test(
  'what stands in the way of snapshots is told by the API, an update takes effect, and neighbours of Node are not touched',
  { skip },
  async (t) => {
    const isolated = await startIsolated(t);
    if (!isolated) return;
    await isolated.create('node', 'export const handler = async () => "node";');
    await isolated.create(
      'py',
      { 'index.py': 'import socket\nkept = socket.socket()\ndef handler(event, context):\n    return 1\n' },
      { Runtime: 'python3.11' },
    );
    assert.equal((await isolated.invoke('py')).value, 1);
    const { StateReason } = (await configurationOf(isolated, 'py')) as { StateReason?: string };
    assert.match(StateReason ?? '', /index\.py:2/);
    await isolated.update('py', { 'index.py': 'def handler(event, context):\n    raise KeyError(event["what"])\n' });
    const { error } = await isolated.invoke('py', { what: 'it' });
    assert.deepEqual([error?.errorType, error?.errorMessage], ['KeyError', "'it'"]);
    const { stackTrace, requestId } = error as { stackTrace?: string[]; requestId?: string };
    assert.equal(stackTrace?.length, 1);
    assert.match(requestId ?? '', /^[0-9a-f-]{36}$/);
    assert.equal((await isolated.invoke('node')).value, 'node');
    await isolated.healthy();
  },
);

test('where there is no Python a function says so, and all else works', async (t) => {
  const directory = temporaryDirectory(t);
  const none = await findInterpreter('python3.12', directory);
  assert.match(String(none), /^python3\.12 needs Python 3\.9 to 3\.14 .*: there is none$/);
  // Shims of version managers are found and run nothing.
  await writeFile(join(directory, 'python3.12'), '#!/bin/sh\nexit 127\n', { mode: 0o755 });
  assert.match(String(await findInterpreter('python3.12', directory)), /there is none$/);
});

test('modules of layers are found, the later layer first, and instances are forked as ever', { skip }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const publish = async (name: string, files: Readonly<Record<string, string>>) => {
    const Content = { ZipFile: zipOf(files) };
    const { LayerVersionArn } = await isolated.client.send(new PublishLayerVersionCommand({ LayerName: name, Content }));
    return LayerVersionArn!;
  };
  const Layers = [
    await publish('one', { 'python/shared.py': 'WHO = "first"\n', 'python/only.py': 'ONLY = 1\n' }),
    await publish('two', { 'python/shared.py': 'WHO = "second"\n', 'python/lib/python3.11/site-packages/versioned.py': 'V = 2\n' }),
  ];
  const code = 'import shared, only, versioned\ndef handler(event, context):\n    return [shared.WHO, only.ONLY, versioned.V]\n';
  await isolated.create('layered', { 'index.py': code }, { Runtime: 'python3.11', Layers });
  for (let i = 0; i < 3; i++) assert.deepEqual((await isolated.invoke('layered')).value, ['second', 1, 2]);
  const { Snapshot } = (await (
    await fetch(`${isolated.platform.url}/2015-03-31/functions/layered/configuration`, { headers: SIGNED })
  ).json()) as {
    Snapshot: { Forks: boolean };
  };
  assert.equal(Snapshot.Forks, true);
});

/** Whatever it says: without --auth nobody looks. */
const SIGNED = {
  authorization: 'AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00',
};

test('what an application makes bit by bit arrives bit by bit, where the URL streams', { skip }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const code = `
import os, time
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Set-Cookie', 'a=1')])
    yield b'first'
    # Somebody says that it has come, where the URL streams.
    while environ['QUERY_STRING'] and not os.path.exists('/var/task/heard'):
        time.sleep(0.005)
    yield b'last'
`;
  await isolated.create('streams', { 'index.py': code }, { Runtime: 'python3.11', Handler: 'index.app' });
  const url = await isolated.url('streams');
  assert.equal(await (await fetch(url)).text(), 'firstlast');
  const change = { FunctionName: 'streams', InvokeMode: 'RESPONSE_STREAM' } as const;
  await isolated.client.send(new UpdateFunctionUrlConfigCommand(change));
  const answer = await fetch(`${url}?waits`);
  assert.deepEqual([answer.headers.get('content-type'), answer.headers.getSetCookie()], ['text/plain', ['a=1']]);
  let came = '';
  for await (const chunk of answer.body!)
    if ((came += Buffer.from(chunk).toString()) === 'first') layBesideCode(isolated.platform, 'heard');
  assert.equal(came, 'firstlast');
});

function withoutFlask(): string | false {
  try {
    execFileSync('python3', ['-c', 'import flask'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'flask is not installed for python3: apt-get install python3-flask';
  }
}
