import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../test/closing.ts';
import { temporaryDirectory } from '../../test/temporary.ts';
import { TEMPLATES } from './templates.ts';

const BIN = join(import.meta.dirname, '../../bin/hearth.mjs');

test('a wrong command line ends with code 2 and says what is wrong, as JSON when asked', async () => {
  for (const args of [
    ['nonsense'],
    ['list', '--nonsense'],
    ['init'],
    [],
    ['list', '--endpoint', 'nonsense'],
    ['up', '--driver', 'magic'],
  ]) {
    const plain = await hearth(args);
    assert.equal(plain.code, 2, args.join(' '));
    assert.match(plain.stderr, /^error BadUsage: .+\n {2}see docs\/errors\/BadUsage\.md\n$/s);
    const json = await hearth([...args, '--json']);
    assert.equal(JSON.parse(json.stderr).error.code, 'BadUsage');
    assert.equal(plain.stdout + json.stdout, '');
  }
});

test('help and version are no failures', async () => {
  const help = await hearth(['--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /deploy[^]*Exit codes/);
  assert.match((await hearth(['deploy', '--help'])).stdout, /hearth.json/);
  // What it has begun to start meanwhile is ended first.
  const up = await hearth(['up', '--help']);
  assert.deepEqual([up.code, up.stderr], [0, '']);
  assert.match((await hearth(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('under another Node the pinned one takes over, with its output and its exit code', async () => {
  const pretend = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.0.0"})';
  const version = await hearth(['--version'], { node: ['--import', pretend] });
  assert.deepEqual(version, await hearth(['--version']));
  assert.equal((await hearth(['nonsense'], { node: ['--import', pretend] })).code, 2);
});

test('where nothing answers, the code is 3 and the message says how to start it', async (t) => {
  const { endpoint, close } = await serve(t, () => ({ status: 200 }));
  await close();
  const result = await hearth(['list', '--endpoint', endpoint]);
  assert.equal(result.code, 3);
  assert.match(result.stderr, /error Unreachable: no Hearth answers at http.*ECONNREFUSED.*hearth up/);
});

test('a list is read page by page', async (t) => {
  const { endpoint, requests } = await serve(t, (request) => {
    const second = request.url!.includes('Marker=next');
    return { status: 200, body: { Functions: [functionNamed(second ? 'b' : 'a')], NextMarker: second ? null : 'next' } };
  });
  const result = await hearth(['list', '--json', '--endpoint', endpoint]);
  assert.deepEqual(
    JSON.parse(result.stdout).map((each: { FunctionName: string }) => each.FunctionName),
    ['a', 'b'],
  );
  assert.equal(requests.length, 2);
  assert.match((await hearth(['list', '--endpoint', endpoint])).stdout, /^NAME +RUNTIME[^\n]*\na +nodejs26\.x[^\n]*\nb/);
});

test("the platform's errors keep their code, also such as no Hearth sends", async (t) => {
  const { endpoint } = await serve(t, (request) =>
    request.method === 'DELETE'
      ? {
          status: 404,
          headers: { 'x-amzn-errortype': 'ResourceNotFoundException:http://internal/' },
          body: { Type: 'User', Message: 'gone' },
        }
      : { status: 502, raw: '<html>Bad gateway</html>' },
  );
  const gone = await hearth(['delete', 'x', '--endpoint', endpoint]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /^error ResourceNotFoundException: gone\n/);
  assert.match((await hearth(['list', '--endpoint', endpoint])).stderr, /^error Internal: HTTP 502: <html>/);
});

test('invoke prints the answer, takes its payload from a file or stdin, and ends with code 4 when the function failed', async (t) => {
  const { endpoint, requests } = await serve(t, (request) => ({
    status: 200,
    headers: {
      'x-amz-log-result': Buffer.from('START\nEND').toString('base64'),
      ...(request.url!.includes('broken') && { 'x-amz-function-error': 'Unhandled' }),
    },
    raw: request.url!.includes('broken') ? '{"errorType":"Error","errorMessage":"no"}' : '{"ok":true}',
  }));
  const good = await hearth(['invoke', 'good', '--payload', '-', '--tail', '--endpoint', endpoint], { stdin: '{"a":1}' });
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, '{"ok":true}\n', 'START\nEND\n']);
  assert.equal(requests[0]!.body, '{"a":1}');
  await hearth(['invoke', 'good', '--payload', `@${join(import.meta.dirname, '../../package.json')}`, '--endpoint', endpoint]);
  assert.equal(JSON.parse(requests[1]!.body).name, 'hearth');
  const broken = await hearth(['invoke', 'broken', '--endpoint', endpoint]);
  assert.equal(broken.code, 4);
  assert.match(broken.stdout, /errorMessage/);
  assert.match(broken.stderr, /broken failed: Error: no/);
  const json = JSON.parse((await hearth(['invoke', 'broken', '--json', '--endpoint', endpoint])).stdout);
  assert.deepEqual([json.functionError, json.payload], ['Unhandled', { errorType: 'Error', errorMessage: 'no' }]);
  assert.equal((await hearth(['invoke', 'good', '--payload', '@nowhere', '--endpoint', endpoint])).code, 2);
});

test('trace shows the steps of a start, or lists those of a function, and says when there is none', async (t) => {
  const id = '9b49c754-b47c-4598-b926-733caffc0e6b';
  const start = {
    ...{ id, functionName: 'hello', version: '$LATEST', invoked: true, timeMs: 1_000, totalMs: 10, kind: 'boot', cause: 'first call' },
    steps: [
      { name: 'boot ordered', atMs: -2 },
      { name: 'arrived', atMs: 0 },
      { name: 'decided', atMs: 7.5 },
      { name: 'ended', atMs: 10 },
    ],
  };
  const notFound = { status: 404, headers: { 'x-amzn-errortype': 'ResourceNotFoundException' }, body: { message: 'not there' } };
  const { endpoint, requests } = await serve(t, (request) => {
    if (request.url === `/_hearth/starts/${id}`) return { status: 200, body: start };
    if (request.url!.startsWith('/_hearth/functions/hello/starts')) return { status: 200, body: { starts: [start] } };
    return notFound;
  });
  const shown = await hearth(['trace', id, '--endpoint', endpoint]);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(
    shown.stdout,
    /^hello:\$LATEST invocation 9b49c754[^\n]+\nboot: first call, 10\.00 ms, 1970-01-01T00:00:01\.000Z\n\nSTEP +AT MS +TOOK MS\n/,
  );
  assert.match(
    shown.stdout,
    /\nboot ordered +-2\.00\narrived +0\.00 +2\.00\ndecided +7\.50 +7\.50 {2}#{18}\nended +10\.00 +2\.50 {2}#{6}\n$/,
  );
  assert.deepEqual(JSON.parse((await hearth(['trace', id, '--json', '--endpoint', endpoint])).stdout), start);
  const listed = await hearth(['trace', 'hello', '--kind', 'boot', '--limit', '3', '--endpoint', endpoint]);
  assert.equal(requests.at(-1)!.url, '/_hearth/functions/hello/starts?kind=boot&limit=3');
  assert.match(listed.stdout, /^TIME +KIND +CAUSE +TOTAL MS +ID\n1970-01-01T00:00:01\.000Z +boot +first call +10\.00 +9b49c754/);
  const none = await hearth(['trace', id.replace('9b', '00'), '--endpoint', endpoint]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^error ResourceNotFoundException: no start is recorded under 0049c754/);
  assert.match((await hearth(['trace', 'nobody', '--endpoint', endpoint])).stderr, /^error ResourceNotFoundException: not there/);
});

test('requests are signed when there is a key, and half a key is refused', async (t) => {
  const { endpoint, requests } = await serve(t, () => ({ status: 200, body: { Functions: [] } }));
  const key = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' };
  await hearth(['list', '--endpoint', endpoint], { env: key });
  await hearth(['list', '--endpoint', endpoint]);
  assert.match(
    requests[0]!.headers.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/\d{8}\/us-east-1\/lambda\/aws4_request/,
  );
  assert.equal(requests[1]!.headers.authorization, undefined);
  assert.equal((await hearth(['list', '--endpoint', endpoint], { env: { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE' } })).code, 2);
});

test('init writes a project and never over anything', async (t) => {
  const cwd = temporaryDirectory(t);
  const { stdout: help } = await hearth(['init', '--help'], { cwd });
  for (const [template, { files }] of Object.entries(TEMPLATES)) {
    assert.match(help.split('--template')[1]!, new RegExp(`\\b${template}\\b`), 'the help names it');
    const result = await hearth(['init', `my-${template}`, '--template', template, '--json'], { cwd });
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(JSON.parse(result.stdout).files, Object.keys(files(template)));
    assert.equal(JSON.parse(await readFile(join(cwd, `my-${template}`, 'hearth.json'), 'utf8')).name, `my-${template}`);
  }
  const again = await hearth(['init', 'my-node'], { cwd });
  assert.equal(again.code, 2);
  assert.match(again.stderr, /is not empty/);
  assert.equal((await hearth(['init', 'a b'], { cwd })).code, 2);
  assert.equal((await hearth(['init', 'c', '--template', 'cobol'], { cwd })).code, 2);
  assert.deepEqual(
    (await readdir(cwd)).toSorted(),
    Object.keys(TEMPLATES)
      .map((template) => `my-${template}`)
      .toSorted(),
  );
});

const functionNamed = (name: string) => ({
  FunctionName: name,
  Runtime: 'nodejs26.x',
  MemorySize: 128,
  Timeout: 3,
  CodeSize: 100,
  State: 'Active',
  LastModified: '2026-01-01T00:00:00.000+0000',
});

type RunOptions = {
  readonly stdin?: string;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly node?: readonly string[];
};

async function hearth(args: readonly string[], options: RunOptions = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { AWS_ACCESS_KEY_ID: _, AWS_SECRET_ACCESS_KEY: __, HEARTH_ENDPOINT: ___, ...env } = process.env;
  const child = spawn(process.execPath, [...(options.node ?? []), BIN, ...args], { cwd: options.cwd, env: { ...env, ...options.env } });
  child.stdin.end(options.stdin ?? '');
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await closed) as [number | null];
  return { code, stdout, stderr };
}

type Answer = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: unknown; readonly raw?: string };
type Seen = { readonly url: string; readonly headers: IncomingMessage['headers']; readonly body: string };

async function serve(t: TestContext, answer: (request: IncomingMessage) => Answer) {
  const requests: Seen[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    requests.push({ url: request.url!, headers: request.headers, body: await text(request) });
    const { status, headers, body, raw } = answer(request);
    response.writeHead(status, headers).end(raw ?? JSON.stringify(body));
  };
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  closeAfter(t, close);
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}
