/** The whole platform in this process, on real files, sockets and function processes, through the SDK and plain HTTP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import {
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  DeleteFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { FileBlobs } from '../../src/adapters/files/mod.ts';
import { silentLog } from '../../src/kernel/mod.ts';
import { openKeys, startStandalone } from '../../src/main/mod.ts';
import type { Standalone, StandaloneOptions } from '../../src/main/mod.ts';
import { signRequest } from '../../src/protocol/mod.ts';
import { zipBytes } from '../../src/adapters/packages/zip-bytes.testing.ts';

const HELLO = `export const handler = async (event) => ({ statusCode: 200, headers: { 'content-type': 'text/plain' }, body: 'hello from ' + (event.rawPath ?? event.name) });`;

const dataDirectoryOf = (t: TestContext): string => join(temporaryDirectory(t), 'data');

async function start(t: TestContext, options: Partial<StandaloneOptions> = {}): Promise<Standalone> {
  const dataDirectory = options.dataDirectory ?? dataDirectoryOf(t);
  const hearth = await startStandalone({
    host: '127.0.0.1',
    port: 0,
    auth: false,
    driver: 'spawn',
    log: silentLog,
    ...options,
    dataDirectory,
  });
  closeAfter(t, () => hearth.close());
  return hearth;
}

type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };
const ANY_KEY: Key = { accessKeyId: 'any', secretAccessKey: 'any' };

function sdk(t: TestContext, { url }: Standalone, credentials = ANY_KEY): LambdaClient {
  const client = new LambdaClient({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 1 });
  closeAfter(t, () => client.destroy());
  return client;
}

async function deploy(client: LambdaClient, source: string, authType: 'NONE' | 'AWS_IAM' = 'NONE', name = 'hello'): Promise<URL> {
  const InvokeMode = source.includes('streamifyResponse') ? 'RESPONSE_STREAM' : 'BUFFERED';
  const code = { ZipFile: zipBytes([{ name: 'index.mjs', content: source }]) };
  await client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: 'arn:aws:iam::000000000000:role/r',
      Code: code,
      Timeout: 60,
    }),
  );
  const { FunctionUrl } = await client.send(new CreateFunctionUrlConfigCommand({ FunctionName: name, AuthType: authType, InvokeMode }));
  return new URL(FunctionUrl!);
}

/** By the host name of the URL, which not every resolver knows to be loopback. */
async function get(
  url: URL,
  path: string,
  options: { headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; body: string }> {
  const method = options.body === undefined ? 'GET' : 'POST';
  const request = httpRequest({ host: '127.0.0.1', port: url.port, path, method, headers: { host: url.host, ...options.headers } });
  request.end(options.body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode!, body: await text(response) };
}

test('a function is deployed, answers at its URL and by invoke, is changed, and is gone after its deletion', async (t) => {
  const hearth = await start(t);
  const client = sdk(t, hearth);
  const url = await deploy(client, HELLO);
  assert.equal(url.hostname.split('.').slice(1).join('.'), 'lambda-url.us-east-1.localhost');
  assert.deepEqual(await get(url, '/any/path?x=1'), { status: 200, body: 'hello from /any/path' });
  const byPath = await fetch(`${hearth.url}/_url/${url.hostname.split('.')[0]}/p`);
  assert.equal(await byPath.text(), 'hello from /p');
  const invoked = await client.send(new InvokeCommand({ FunctionName: 'hello', Payload: '{"name":"Ada"}' }));
  assert.equal((JSON.parse(invoked.Payload!.transformToString()) as { body: string }).body, 'hello from Ada');

  const changed = HELLO.replace('hello from', 'bye from');
  await client.send(new UpdateFunctionCodeCommand({ FunctionName: 'hello', ZipFile: zipBytes([{ name: 'index.mjs', content: changed }]) }));
  assert.equal((await get(url, '/')).body, 'bye from /');

  const logs = await (await fetch(`${hearth.url}/_hearth/functions/hello/logs`)).text();
  assert.match(logs, /REPORT RequestId: /);
  await client.send(new DeleteFunctionCommand({ FunctionName: 'hello' }));
  assert.equal((await get(url, '/')).status, 404);
});

test('what was deployed is there after a new start', async (t) => {
  const dataDirectory = dataDirectoryOf(t);
  const first = await start(t, { dataDirectory });
  const url = await deploy(sdk(t, first), HELLO);
  await first.close();
  const second = await start(t, { dataDirectory });
  url.port = String(second.port);
  assert.equal((await get(url, '/again')).body, 'hello from /again');
});

test('a streaming function answers in parts, with the head it has chosen', async (t) => {
  const hearth = await start(t);
  const source = `export const handler = awslambda.streamifyResponse(async (event, out) => {
    const stream = awslambda.HttpResponseStream.from(out, { statusCode: 201, headers: { 'content-type': 'text/plain', 'x-a': 'b' } });
    for (const part of ['one ', 'two ', 'three']) stream.write(part);
    stream.end();
  });`;
  const url = await deploy(sdk(t, hearth), source);
  const response = await fetch(`${hearth.url}/_url/${url.hostname.split('.')[0]}/`);
  assert.equal(response.status, 201);
  assert.equal(response.headers.get('x-a'), 'b');
  assert.equal(response.headers.get('content-length'), null);
  assert.equal(await response.text(), 'one two three');
});

test('the packages of what was deleted are gone after a new start, those in use are not', async (t) => {
  const dataDirectory = dataDirectoryOf(t);
  const first = await start(t, { dataDirectory });
  const client = sdk(t, first);
  const url = await deploy(client, HELLO);
  await deploy(client, HELLO.replace('hello from', 'other from'), 'NONE', 'other');
  await client.send(new DeleteFunctionCommand({ FunctionName: 'other' }));
  await first.close();
  const second = await start(t, { dataDirectory });
  const blobs = await FileBlobs.open({ directory: join(dataDirectory, 'blobs') });
  assert.equal((await Array.fromAsync(blobs.list())).length, 1);
  url.port = String(second.port);
  assert.equal((await get(url, '/')).body, 'hello from /');
});

test('closing lets what runs come to its end', async (t) => {
  const hearth = await start(t);
  const slow = `import { setTimeout } from 'node:timers/promises'; export const handler = async () => { console.log('begun'); await setTimeout(300); return 'done'; };`;
  const url = await deploy(sdk(t, hearth), slow);
  const answer = get(url, '/');
  const follow = await fetch(`${hearth.url}/_hearth/functions/hello/logs?follow`);
  let log = '';
  for await (const chunk of follow.body!) if ((log += Buffer.from(chunk).toString()).includes('begun')) break;
  await hearth.close();
  assert.deepEqual(await answer, { status: 200, body: '"done"' });
  await assert.rejects(fetch(hearth.url));
});

test('with authentication only signed requests are taken, by SDK, CLI and at function URLs', async (t) => {
  const dataDirectory = dataDirectoryOf(t);
  const keys = await openKeys({ dataDirectory });
  const key = await keys.create();
  await keys.close();
  const hearth = await start(t, { dataDirectory, auth: true });

  const client = sdk(t, hearth, key);
  const url = await deploy(client, HELLO, 'AWS_IAM');
  const { Payload } = await client.send(new InvokeCommand({ FunctionName: 'hello', Payload: '{"name":"Ada"}' }));
  assert.match(Payload!.transformToString(), /hello from Ada/);
  await assert.rejects(sdk(t, hearth).send(new ListFunctionsCommand()), { name: 'UnrecognizedClientException' });
  const wrong = { ...key, secretAccessKey: 'wrong' };
  await assert.rejects(sdk(t, hearth, wrong).send(new ListFunctionsCommand()), { name: 'InvalidSignatureException' });
  assert.equal((await fetch(`${hearth.url}/2015-03-31/functions`)).status, 403);
  assert.equal((await fetch(`${hearth.url}/_hearth/keys`)).status, 403);
  assert.equal((await fetch(`${hearth.url}/_hearth/health`)).status, 200);

  assert.equal((await get(url, '/')).status, 403);
  const body = '{"a":1}';
  const options = { method: 'POST', body: Buffer.from(body), ...key, region: 'us-east-1', service: 'lambda', timeMs: Date.now() };
  const headers = signRequest({ ...options, url: new URL('/signed', url), headers: { 'content-type': 'application/json' } });
  assert.deepEqual(await get(url, '/signed', { headers, body }), { status: 200, body: 'hello from /signed' });
  assert.equal((await get(url, '/signed', { headers, body })).status, 403, 'the same signature again');

  const admin = signRequest({ ...options, method: 'GET', body: Buffer.alloc(0), url: new URL(`${hearth.url}/_hearth/keys`) });
  assert.equal((await fetch(`${hearth.url}/_hearth/keys`, { headers: admin })).status, 200);
});

test('without authentication a foreign page gets nothing', async (t) => {
  const hearth = await start(t);
  const foreign: Record<string, string>[] = [{ host: 'rebound.example' }, { origin: 'https://evil.example' }];
  for (const headers of foreign) {
    for (const path of ['/2015-03-31/functions', '/_hearth/info']) {
      assert.equal((await get(new URL(hearth.url), path, { headers })).status, 403);
    }
  }
  assert.equal((await get(new URL(hearth.url), '/2015-03-31/functions')).status, 200);
  assert.equal((await get(new URL(hearth.url), '/nothing/here')).status, 404);
});

test('a start that fails says why and leaves nothing open', async (t) => {
  const dataDirectory = dataDirectoryOf(t);
  const hearth = await start(t);
  const options = { dataDirectory, host: '127.0.0.1', port: 0, auth: false, driver: 'spawn', log: silentLog } as const;
  await assert.rejects(startStandalone({ ...options, host: '0.0.0.0' }), { code: 'ListenRefused' });
  await assert.rejects(startStandalone({ ...options, port: hearth.port }), { code: 'AddressInUse' });
  // The directory is free again.
  const second = await start(t, { dataDirectory });
  await assert.rejects(startStandalone(options), { code: 'DataDirectoryLocked' });
  await second.close();
});
