import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, createServer as createWebServer, get } from 'node:http';
import { createServer as createTlsServer, get as getSecure } from 'node:https';
import { Socket, connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { silentLog } from '../../kernel/mod.ts';
import { DEFAULT_NETWORK, parseNetwork } from '../../protocol/mod.ts';
import type { Egress } from '../../protocol/mod.ts';
import { createEgress } from './mod.ts';

/** A public address: what is connected to it ends at servers of the test. */
const PUBLIC = '93.184.215.14';

type Setup = {
  /** Of names, in turn; the last ones stay. */
  readonly names?: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly network?: Egress;
  readonly own?: readonly string[];
  readonly headersTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
};

async function setUp(
  t: TestContext,
  { names = {}, network = DEFAULT_NETWORK, own = [], headersTimeoutMs = 60_000, idleTimeoutMs = 60_000 }: Setup = {},
) {
  const asked: string[] = [];
  const refusals: string[] = [];
  /** Where was really connected to. */
  const reached: string[] = [];
  const egress = createEgress({
    async resolve(host) {
      const times = asked.filter((name) => name === host).length;
      asked.push(host);
      const answers = names[host];
      if (!answers) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
      return answers[Math.min(times, answers.length - 1)]!;
    },
    connect: ((options: {
      host: string;
      port: number;
      lookup: (host: string, options: object, done: (error: null, all: readonly { address: string }[]) => void) => void;
    }) => {
      const socket = new Socket({ allowHalfOpen: true });
      options.lookup(options.host, {}, (_, all) => {
        reached.push(`${all[0]!.address}:${options.port}`);
        socket.connect({ host: '127.0.0.1', port: options.port });
      });
      return socket;
    }) as never,
    ownAddresses: () => own,
    platform: (request, response) => response.end(`platform ${request.url} ${egress.callerOf(request)?.functionName}`),
    platformPort: () => 4999,
    limits: { headerBytes: 16_384, headersTimeoutMs, keepAliveTimeoutMs: 60_000, connectTimeoutMs: 60_000, idleTimeoutMs },
    refused: (_, reason) => void refusals.push(reason),
    log: silentLog,
  });
  closeAfter(t, () => egress.close());
  const front = createServer({ allowHalfOpen: true }, (connection) => egress.accept(connection, { functionName: 'f', network }));
  const port = await listening(t, front);
  return { port, asked, reached, refusals, agent: agentOf(t, port) };
}

async function listening(t: TestContext, server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => void open.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeAfter(t, () => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function agentOf(t: TestContext, port: number): Agent {
  const url = `http://127.0.0.1:${port}`;
  const agent = new Agent({ keepAlive: true, proxyEnv: { HTTP_PROXY: url } });
  closeAfter(t, () => agent.destroy());
  return agent;
}

function fetchBy(agent: Agent, url: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => resolve(`${response.statusCode} ${text}`)).on('error', reject);
    });
    request.on('error', reject);
  });
}

/** What comes back for these bytes, until the proxy ends the connection. */
function raw(port: number, ...parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    socket.on('close', () => resolve(text)).on('error', reject);
    for (const part of parts) socket.write(part, 'latin1');
  });
}

const web = (t: TestContext) =>
  listening(
    t,
    createWebServer((request, response) => {
      response.setHeader('connection', 'x-hop, keep-alive');
      response.setHeader('x-hop', 'of this connection only');
      response.end(JSON.stringify({ url: request.url, headers: request.headers }));
    }),
  );

test('a name is resolved once, and what was looked at is what is connected to, whatever the name says later', async (t) => {
  const target = await web(t);
  const { agent, asked, reached } = await setUp(t, {
    names: { 'rebinding.test': [[PUBLIC], ['127.0.0.1'], ['::1'], [PUBLIC, '10.0.0.1']] },
  });
  assert.match(await fetchBy(agent, `http://rebinding.test:${target}/`), /^200 /);
  assert.match(await fetchBy(agent, `http://rebinding.test:${target}/`), /^403 .*127\.0\.0\.1, a loopback address/);
  assert.match(await fetchBy(agent, `http://rebinding.test:${target}/`), /^403 .*a loopback address/);
  assert.match(await fetchBy(agent, `http://rebinding.test:${target}/`), /^403 .*10\.0\.0\.1, an address in a private network/);
  assert.deepEqual(reached, [`${PUBLIC}:${target}`]);
  assert.equal(asked.length, 4);
});

test('addresses of this machine, of nobody and of the metadata service are refused in every notation', async (t) => {
  const { agent, port, reached } = await setUp(t, { own: ['198.41.0.4'] });
  const hosts = [
    '127.0.0.1',
    '0x7f.1',
    '2130706433',
    '0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '169.254.169.254',
    '0251.0376.0251.0376',
  ];
  for (const host of [...hosts, '198.41.0.4', '[fe80::1]', '[fd00:ec2::254]', '100.64.0.1']) {
    assert.match(await fetchBy(agent, `http://${host}:8080/`), /^403 /, host);
    assert.match(await raw(port, `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`), /^HTTP\/1\.1 403 /, host);
  }
  assert.match(await fetchBy(agent, 'http://unknown.test/'), /^502 unknown\.test has no address \(ENOTFOUND\)/);
  assert.deepEqual(reached, []);
});

test('with a list only what is on it is even resolved', async (t) => {
  const target = await web(t);
  const network = parseNetwork(`.example.test:${target}`) as Egress;
  const { agent, asked, refusals } = await setUp(t, { network, names: { 'a.example.test': [['10.1.2.3']], 'other.test': [[PUBLIC]] } });
  assert.match(await fetchBy(agent, `http://a.example.test:${target}/`), /^200 /);
  assert.match(await fetchBy(agent, `http://other.test:${target}/`), /^403 .*hearth:network/);
  assert.deepEqual(asked, ['a.example.test']);
  assert.match(refusals.join(), /^other\.test:\d+ is not granted[^,]*$/);
});

test('what belongs to one connection is not passed on, and the host is the one that was asked for', async (t) => {
  const target = await web(t);
  const { port, agent } = await setUp(t, { names: { 'web.test': [[PUBLIC]] } });
  const head = `GET http://web.test:${target}/a?b=c HTTP/1.1\r\nHost: forged.test\r\nProxy-Authorization: Basic eA==\r\nConnection: x-mine, close\r\nX-Mine: 1\r\nTE: trailers\r\nX-Kept: 2\r\n\r\n`;
  const answer = await raw(port, head);
  const { url, headers } = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as {
    url: string;
    headers: Record<string, string>;
  };
  assert.equal(url, '/a?b=c');
  assert.equal(headers['host'], `web.test:${target}`);
  assert.equal(headers['x-kept'], '2');
  for (const name of ['proxy-authorization', 'x-mine', 'te']) assert.equal(headers[name], undefined, name);
  assert.doesNotMatch(answer, /x-hop/i);
  for (let i = 0; i < 3; i++) assert.match(await fetchBy(agent, `http://web.test:${target}/${i}`), new RegExp(`^200 .*"/${i}"`));
});

test('a request that two readers could take differently is taken by nobody', async (t) => {
  const { port, reached } = await setUp(t, { names: { 'web.test': [[PUBLIC]] } });
  const start = 'POST http://web.test/ HTTP/1.1\r\nHost: web.test\r\n';
  const both = `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
  const twice = `${start}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd`;
  const folded = `${start}X: a\r\n Content-Length: 4\r\n\r\n`;
  for (const text of [both, twice, folded, `${start}X${'x'.repeat(20_000)}: 1\r\n\r\n`]) assert.equal(await raw(port, text), '');
  assert.deepEqual(reached, []);
});

test('bodies go both ways whole', async (t) => {
  const target = await listening(
    t,
    createWebServer((request, response) => void request.pipe(response)),
  );
  const { port } = await setUp(t, { names: { 'web.test': [[PUBLIC]] } });
  const body = 'z'.repeat(1_000_000);
  const head = (more: string) => `POST http://web.test:${target}/ HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n${more}\r\n\r\n`;
  assert.ok((await raw(port, head(`Content-Length: ${body.length}`), body)).includes(body.slice(0, 1000)));
  assert.ok((await raw(port, head('Transfer-Encoding: chunked'), `5\r\nhello\r\n0\r\n\r\n`)).includes('hello'));
  assert.match(await raw(port, head(`Content-Length: 3\r\nExpect: 100-continue`), 'abc'), /^HTTP\/1\.1 100 Continue[^]*\r\nabc\r\n/);
});

test('TLS goes through a tunnel, end to end', async (t) => {
  const directory = temporaryDirectory(t);
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name)) as [string, string];
  const subject = ['-subj', '/CN=secure.test', '-addext', 'subjectAltName=DNS:secure.test'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  );
  const target = await listening(
    t,
    createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => response.end('secret')),
  );
  const { port } = await setUp(t, { names: { 'secure.test': [[PUBLIC]] } });
  const { Agent: SecureAgent } = await import('node:https');
  const agent = new SecureAgent({ proxyEnv: { HTTPS_PROXY: `http://127.0.0.1:${port}` }, ca: readFileSync(cert) });
  const text = await new Promise((resolve, reject) => {
    const request = getSecure(`https://secure.test:${target}/`, { agent }, (response) => response.setEncoding('utf8').on('data', resolve));
    request.on('error', reject);
  });
  assert.equal(text, 'secret');
});

test('a tunnel carries halves: who has said all may still hear all', async (t) => {
  const target = await listening(
    t,
    createServer({ allowHalfOpen: true }, (socket) => {
      let bytes = 0;
      socket.on('data', (chunk) => (bytes += chunk.length)).on('error', () => socket.destroy());
      socket.on('end', () => socket.end(`${bytes} ${'y'.repeat(500_000)}`));
    }),
  );
  const { port } = await setUp(t, { names: { 'db.test': [[PUBLIC]] } });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(`CONNECT db.test:${target} HTTP/1.1\r\n\r\n${'x'.repeat(500_000)}`);
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  assert.match(text, /^HTTP\/1\.1 200 Connection established\r\n\r\n500000 y{500000}$/);
});

test('peers that say nothing are let go of', async (t) => {
  const target = await listening(t, createServer());
  const names = { 'mute.test': [[PUBLIC]] };
  const idle = await setUp(t, { names, idleTimeoutMs: 3_000 });
  assert.match(await raw(idle.port, `CONNECT mute.test:${target} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 200 /);
  // Nothing at all, and a head that does not end.
  const { port } = await setUp(t, { names, headersTimeoutMs: 300 });
  assert.match(await raw(port), /^(HTTP\/1\.1 408 [^]*)?$/);
  assert.match(await raw(port, 'GET http://mute.test/ HT'), /^(HTTP\/1\.1 408 [^]*)?$/);
});

test('requests with a path, and to the platform by its names, are for the platform, which knows whose they are', async (t) => {
  const { port, agent, reached } = await setUp(t, { network: parseNetwork('api.example.com') as Egress });
  const close = 'Host: x\r\nX-Function: g\r\nConnection: close\r\n\r\n';
  assert.match(await raw(port, `GET /a?b HTTP/1.1\r\n${close}`), /platform \/a\?b f$/);
  assert.match(await raw(port, `GET http://127.0.0.1:4999?b HTTP/1.1\r\n${close}`), /platform \/\?b f$/);
  assert.match(await fetchBy(agent, 'http://id.lambda-url.us-east-1.localhost:4566/c'), /^200 platform \/c f$/);
  assert.match(
    await raw(port, 'CONNECT localhost:4999 HTTP/1.1\r\n\r\n', `GET /d HTTP/1.1\r\n${close}`),
    /200 Connection[^]*platform \/d f$/,
  );
  assert.match(await raw(port, `GET ftp://example.com/ HTTP/1.1\r\n${close}`), /^HTTP\/1\.1 400 /);
  assert.match(await raw(port, `CONNECT example.com HTTP/1.1\r\n${close}`), /^HTTP\/1\.1 400 /);
  assert.deepEqual(reached, []);
});
