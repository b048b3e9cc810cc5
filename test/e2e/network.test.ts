/** What functions reach: by default, by grants, and not at all. The servers are on this machine, so by default they must be out of reach. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import {
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-lambda';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { runHearth, startPlatform } from './cli-platform.ts';
import { eventually, functionOf, startIsolated, zipOf } from './platform.ts';
import type { Isolated } from './platform.ts';

/** Each step is tried; what came of it is the answer. */
const CLIENT = `
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { execFile } from 'node:child_process';
const get = (client, url, options = {}) => new Promise((resolve) => {
  const request = client.get(url, options, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (chunk) => (text += chunk)).on('end', () => resolve(response.statusCode + ' ' + text.trim()));
  });
  request.on('error', (error) => resolve(error.code + ' ' + error.message));
});
const steps = {
  fetch: async ({ url, ...options }) => {
    const response = await fetch(url, options);
    return response.status + ' ' + (await response.text()).trim();
  },
  get: ({ url }) => get(url.startsWith('https') ? https : http, url),
  agent: ({ url }) => {
    const client = url.startsWith('https') ? https : http;
    return get(client, url, { agent: new client.Agent({ keepAlive: true, maxSockets: 50 }) });
  },
  tcp: ({ host, port, say = '', half = true }) => new Promise((resolve) => {
    const socket = net.connect({ host, port });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    socket.on('close', () => resolve(text)).on('error', (error) => resolve(error.code));
    if (say) socket[half ? 'end' : 'write'](say);
  }),
  python: ({ url }) => new Promise((resolve) => {
    const code = 'import sys, urllib.request as r\\ntry:\\n print(r.urlopen(sys.argv[1]).read().decode())\\nexcept Exception as e: print(e)';
    execFile('/usr/bin/python3', ['-c', code, url], (error, stdout) => resolve(error ? String(error) : stdout.trim()));
  }),
  environment: () => process.env,
};
export const handler = async ({ step, ...given }) => {
  try {
    return await steps[step](given);
  } catch (error) {
    return error.name + ': ' + (error.cause?.message ?? error.message);
  }
};`;

/** The platform, as a function finds it. */
const INSIDE = 'http://127.0.0.1:4566';

type Ask = (step: string, given?: object) => Promise<unknown>;

/** A function of that name that does as told. */
async function makeClient(isolated: Isolated, name: string, network?: string, more: Record<string, string> = {}): Promise<Ask> {
  const tags = { ...(network !== undefined && { 'hearth:network': network }), ...more };
  await isolated.create(name, CLIENT, { Timeout: 30, Tags: tags });
  return async (step, given = {}) => {
    const { value, error, log } = await isolated.invoke(name, { step, ...given });
    assert.equal(error, undefined, `${JSON.stringify(error)} ${log}`);
    return value;
  };
}

async function listening(t: TestContext, server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closeAfter(t, () => server.close());
  return (server.address() as AddressInfo).port;
}

const webServer = (t: TestContext, host?: string) =>
  listening(
    t,
    createServer((request, response) => response.end(`web ${request.url} ${request.headers.host}`)),
    host,
  );

/** Says what it was told once that is complete. */
const echoServer = (t: TestContext) =>
  listening(
    t,
    createTcpServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
      socket.on('end', () => socket.end(`echo ${text}`)).on('error', () => socket.destroy());
    }),
  );

test('by default neither the host nor private networks nor metadata are reached, by no client', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const port = await webServer(t);
  const ask = await makeClient(isolated, 'bounded');
  const urls = [
    `http://name.invalid:${port}/`,
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1:8080/',
    'http://[fd00:ec2::254]/',
  ];
  for (const url of urls) {
    for (const step of ['fetch', 'get', 'agent']) assert.match(String(await ask(step, { url })), /^(403|502) /, `${step} ${url}`);
  }
  assert.match(
    String(await ask('get', { url: 'https://169.254.169.254/' })),
    /ERR_PROXY_TUNNEL .*403 169\.254\.169\.254 is where clouds keep their metadata/,
  );
  assert.match(String(await ask('agent', { url: 'https://0x7f000001/' })), /403 127\.0\.0\.1 is a loopback address|ECONNREFUSED/);
  if (existsSync('/usr/bin/python3')) assert.match(String(await ask('python', { url: 'http://192.168.0.1/' })), /HTTP Error 403/);
  // Without the proxy there is no way at all.
  assert.equal(await ask('tcp', { host: '127.0.0.1', port }), 'ECONNREFUSED');
  assert.match(String(await ask('tcp', { host: '8.8.8.8', port: 53 })), /ENETUNREACH|EHOSTUNREACH/);
  const foreign = {
    host: '127.0.0.1',
    port: 4566,
    half: false,
    say: `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n`,
  };
  assert.match(String(await ask('tcp', foreign)), /^HTTP\/1\.1 403 /);
});

test('granted hosts are reached by fetch, by http and by agents of user code; the rest is not', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const [port, other] = [await webServer(t), await webServer(t)];
  // As a literal address: what is granted so is the operator's word.
  const ask = await makeClient(isolated, 'listed', `127.0.0.1:${port}`);
  const { NO_PROXY, ...environment } = (await ask('environment')) as Record<string, string>;
  assert.equal(NO_PROXY, 'localhost,127.0.0.1,::1');
  assert.equal(environment['HTTPS_PROXY'], 'http://127.0.0.1:4566');
  const through = (to: number) => {
    const say = `GET http://127.0.0.1:${to}/x HTTP/1.1\r\nHost: forged\r\nConnection: close\r\n\r\n`;
    return ask('tcp', { host: '127.0.0.1', port: 4566, half: false, say });
  };
  assert.match(String(await through(port)), new RegExp(`^HTTP/1\\.1 200 OK[^]*web /x 127\\.0\\.0\\.1:${port}$`));
  assert.match(String(await through(other)), /^HTTP\/1\.1 403 Forbidden[^]*is not granted/);
});

test('standard clients use the proxy by themselves', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  // An address that NO_PROXY does not name.
  const host = '127.0.0.2';
  const [port, other] = [await webServer(t, host), await webServer(t, host)];
  const ask = await makeClient(isolated, 'clients', `${host}:${port}`);
  for (const step of ['fetch', 'get', 'agent']) {
    assert.equal(await ask(step, { url: `http://${host}:${port}/a?b` }), `200 web /a?b ${host}:${port}`, step);
    assert.match(String(await ask(step, { url: `http://${host}:${other}/` })), /^403 .*is not granted/, step);
  }
  if (existsSync('/usr/bin/python3')) assert.equal(await ask('python', { url: `http://${host}:${port}/` }), `web / ${host}:${port}`);
  const { value, log } = await isolated.invoke('clients', { step: 'fetch', url: 'https://other.test/' });
  assert.match(String(value), /^TypeError/, log);
  await eventually(async () =>
    assert.match(await logOf(isolated, 'clients'), /The network refused a connection: other\.test:443 is not granted/),
  );
  // What is refused now is there for the next deployment, which the change makes.
  const Tags = { 'hearth:network': `${host}:${other}` };
  await isolated.client.send(new TagResourceCommand({ Resource: await arnOf(isolated, 'clients'), Tags }));
  assert.equal(await ask('fetch', { url: `http://${host}:${other}/` }), `200 web / ${host}:${other}`);
});

test('a granted endpoint is there inside under its name and at its address, and nowhere else', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const [port, other] = [await echoServer(t), await echoServer(t)];
  const ask = await makeClient(isolated, 'client', `tcp:127.0.0.1:${port} tcp:localhost:${other} tcp:db.internal:5432 tcp:10.9.8.7:80`);
  assert.equal(await ask('tcp', { host: '127.0.0.1', port, say: 'hello' }), 'echo hello');
  assert.equal(await ask('tcp', { host: 'localhost', port: other, say: 'x'.repeat(300_000) }), `echo ${'x'.repeat(300_000)}`);
  // Somebody listens inside; the host does not know the name, and hangs up.
  assert.match(String(await ask('tcp', { host: 'db.internal', port: 5432, say: 'x' })), /^$|ECONNRESET/);
  assert.equal(await ask('tcp', { host: 'db.internal', port: 5433 }), 'ECONNREFUSED');
  assert.equal(await ask('tcp', { host: '10.9.8.7', port: 81 }), 'ECONNREFUSED');
  assert.match(String(await ask('fetch', { url: 'http://93.184.215.14/' })), /403 .*not granted/);
});

test('with none there is loopback only, and with host all that the host has', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const port = await webServer(t);
  const none = await makeClient(isolated, 'alone', 'none');
  assert.equal(await none('tcp', { host: '127.0.0.1', port: 4566 }), 'ECONNREFUSED');
  assert.equal(((await none('environment')) as Record<string, string>)['HTTP_PROXY'], undefined);
  const host = await makeClient(isolated, 'trusted', 'host');
  assert.equal(await host('fetch', { url: `http://127.0.0.1:${port}/y` }), `200 web /y 127.0.0.1:${port}`);
  const { AWS_ENDPOINT_URL } = (await host('environment')) as Record<string, string>;
  assert.equal(AWS_ENDPOINT_URL, isolated.platform.url);
});

test("the platform's own API is there to invoke, and to change only what was granted", async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  await isolated.create('other', 'export const handler = async ({ n }) => n + 1;');
  const url = await isolated.url('other');
  const invoke = { url: `${INSIDE}/2015-03-31/functions/other/invocations`, method: 'POST', body: '{"n":1}' };
  const list = { url: `${INSIDE}/2015-03-31/functions/` };
  const ask = await makeClient(isolated, 'caller', 'api.example.com');
  assert.equal(await ask('fetch', invoke), '200 2');
  assert.match(String(await ask('fetch', { url: INSIDE + new URL(url).pathname, method: 'POST', body: '{}' })), /^200 /);
  // A function URL by its name, through the proxy, as node's clients ask for it.
  const name = `http://${url.split('/').at(-1)}.lambda-url.us-east-1.localhost:${new URL(url).port}/`;
  for (const step of ['get', 'agent']) assert.match(String(await ask(step, { url: name })), /^200 /, step);
  const forged = {
    headers: { authorization: 'AWS4-HMAC-SHA256 Credential=hearth/x', 'x-forwarded-for': '127.0.0.1', 'x-hearth-function': 'other' },
  };
  for (const path of [
    '/2015-03-31/functions/',
    '/2015-03-31/functions/other',
    '/_hearth/info',
    '/_hearth/functions/other/logs',
    '/2017-03-31/tags/x',
  ])
    assert.match(String(await ask('fetch', { url: INSIDE + path, ...forged })), /^403 .*hearth:api=control/, path);
  assert.match(String(await ask('fetch', { url: `${INSIDE}/2015-03-31/functions/other`, method: 'DELETE' })), /^403 /);
  const trusted = await makeClient(isolated, 'operator', undefined, { 'hearth:api': 'control' });
  assert.match(String(await trusted('fetch', list)), /^200 .*"caller"/);
  await isolated.client.send(new UntagResourceCommand({ Resource: await arnOf(isolated, 'operator'), TagKeys: ['hearth:api'] }));
  assert.match(String(await trusted('fetch', list)), /^403 /);
});

test('with --auth a function still invokes without a signature, and may do no more', async (t) => {
  const data = join(temporaryDirectory(t), 'data');
  const made = await runHearth(['keys', 'create', '--data', data, '--json']);
  const key = JSON.parse(made.stdout) as { accessKeyId: string; secretAccessKey: string };
  const platform = await startPlatform(t, ['--auth'], data);
  const client = new LambdaClient({ endpoint: platform.url, region: 'us-east-1', credentials: key, maxAttempts: 1 });
  closeAfter(t, () => client.destroy());
  await client.send(new CreateFunctionCommand(functionOf('other', zipOf('export const handler = async () => 7;'))));
  const { FunctionUrl } = await client.send(new CreateFunctionUrlConfigCommand({ FunctionName: 'other', AuthType: 'AWS_IAM' }));
  await client.send(new CreateFunctionCommand({ ...functionOf('caller', zipOf(CLIENT)), Timeout: 30 }));
  const ask = async (given: object): Promise<string> => {
    const { Payload } = await client.send(
      new InvokeCommand({ FunctionName: 'caller', Payload: JSON.stringify({ step: 'fetch', ...given }) }),
    );
    return Payload!.transformToString();
  };
  if (!(await ask({ step: 'environment' })).includes('NODE_USE_ENV_PROXY')) return t.skip('functions have no network of their own here');
  const byUrl = `/_url/${new URL(FunctionUrl!).hostname.split('.')[0]}`;
  assert.equal(await ask({ url: `${INSIDE}/2015-03-31/functions/other/invocations`, method: 'POST', body: '{}' }), '"200 7"');
  assert.equal(await ask({ url: INSIDE + byUrl }), '"200 7"');
  assert.match(await ask({ url: `${INSIDE}/2015-03-31/functions/` }), /^"403 .*hearth:api=control/);
  // From outside the door is as it was.
  assert.equal((await fetch(platform.url + byUrl)).status, 403);
  assert.equal((await fetch(`${platform.url}/2015-03-31/functions/`)).status, 403);
});

test('what a function listens on is reached by nobody outside, and what it floods is its own', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const source = `
import net from 'node:net';
const held = [];
export const handler = async ({ flood, port }) => {
  if (!flood) return await new Promise((resolve) => held.push(net.createServer().listen(port, '0.0.0.0', () => resolve('listens'))));
  for (let i = 0; i < flood; i++) held.push(net.connect(4566, '127.0.0.1').on('error', () => {}));
  await new Promise((resolve) => setTimeout(resolve, 500));
  return held.length;
};`;
  await isolated.create('server', source, { Timeout: 30 });
  // At a port that is taken outside: there nobody else answers.
  const port = await webServer(t);
  assert.equal((await isolated.invoke('server', { port })).value, 'listens');
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/x`)).text(), `web /x 127.0.0.1:${port}`);
  const { value } = await isolated.invoke('server', { flood: 900 });
  assert.equal(value, 901);
  const ask = await makeClient(isolated, 'neighbour');
  assert.match(String(await ask('fetch', { url: 'http://10.0.0.1/' })), /^403 /);
  await isolated.healthy();
});

test('sandboxes that end leave no descriptors behind', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { pid } = isolated.platform.process;
  const open = async () => (await readdir(`/proc/${pid}/fd`)).length;
  await isolated.create('turned', CLIENT, { Timeout: 30 });
  const turn = async (n: number) => {
    const network = n % 3 === 0 ? `tcp:127.0.0.1:${7000 + n}` : n % 3 === 1 ? 'none' : `h${n}.example.com`;
    await isolated.client.send(new TagResourceCommand({ Resource: await arnOf(isolated, 'turned'), Tags: { 'hearth:network': network } }));
    await isolated.invoke('turned', { step: 'tcp', host: '127.0.0.1', port: 4566, say: 'x' });
  };
  for (let n = 0; n < 6; n++) await turn(n);
  const before = await open();
  for (let n = 0; n < 60; n++) await turn(n);
  await eventually(async () => assert.ok((await open()) <= before + 8, `${await open()} after ${before}`));
});

async function logOf({ platform }: Isolated, name: string): Promise<string> {
  return await (await fetch(`${platform.url}/_hearth/functions/${name}/logs`)).text();
}

async function arnOf({ client }: Isolated, name: string): Promise<string> {
  return (await client.send(new GetFunctionCommand({ FunctionName: name }))).Configuration!.FunctionArn!;
}
