/** Connections that are used against their purpose, answers that would be more than one, and what pooled connections could mix up. */
import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { closeAfter } from '../closing.ts';
import { startIsolated, startNeighbour } from '../e2e/platform.ts';
import { memoryMiB } from '../e2e/footprint.ts';
import { attacking } from './siege.ts';
import { wire } from './wire.ts';

const ECHO = `export const handler = async (event) => {
  const wait = Number(event.headers['x-wait'] ?? 0);
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  return { statusCode: 200, headers: { 'content-type': 'text/plain', 'x-function': process.env.AWS_LAMBDA_FUNCTION_NAME },
    body: process.env.AWS_LAMBDA_FUNCTION_NAME + ' ' + event.headers['x-token'] + ' ' + (event.body ?? '') };
};`;
const SAYS = `export const handler = async (event) => JSON.parse(event.body);`;
const STREAMS = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const out = awslambda.HttpResponseStream.from(stream, JSON.parse(event.body));
  out.write('body');
  out.end();
});`;
const LARGE = `export const handler = async () => ({ statusCode: 200, body: 'x'.repeat(5_000_000) });`;
const ENDLESS = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  for (let i = 0; i < 100_000; i++) if (!stream.write(Buffer.alloc(65_536))) await new Promise((resolve) => stream.once('drain', resolve));
  stream.end();
});`;

/** What functions may not make of an answer. Each must come as 502, or without its harm. */
const SPLITTING: readonly (readonly [string, object])[] = [
  ['a line break in a value', { headers: { 'x-a': 'b\r\nset-cookie: stolen=1' } }],
  ['an empty line in a value', { headers: { 'x-a': 'b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged' } }],
  ['a lone LF and a lone CR in values', { headers: { 'x-a': 'b\nx-forged: 1', 'x-b': 'c\rx-forged: 1' } }],
  ['a line break in a name', { headers: { 'x-a: b\r\nx-forged': '1' } }],
  ['a colon, a space and nothing as names', { headers: { 'x-forged:': '1', 'x y': '1', '': '1' } }],
  ['a zero byte and letters beyond Latin-1', { headers: { 'x-a': '\u0000', 'x-b': '\u010d\u010a' } }],
  ['letters that become line breaks when they are cut to a byte', { headers: { 'x-a': 'b\u560d\u560ax-forged: 1' } }],
  ['a line break in a cookie', { cookies: ['a=b\r\nx-forged: 1'] }],
  ['a cookie that is no text', { cookies: [{ toString: 'x-forged: 1' }] }],
  ['a length of its own', { headers: { 'content-length': '3', 'Content-Length': '9000' } }],
  ['chunks', { headers: { 'transfer-encoding': 'chunked', 'Transfer-Encoding': 'gzip, chunked' } }],
  [
    'the end of the connection, or another protocol',
    { headers: { connection: 'upgrade', upgrade: 'h2c', 'keep-alive': 'timeout=9999', trailer: 'x' } },
  ],
  ['a status that is none', { statusCode: 99 }],
  ['a status that says more is to come', { statusCode: 101 }],
  ['a status with text behind it', { statusCode: '200 OK\r\nx-forged: 1' }],
  ['names of prototypes', { headers: { constructor: 'x', toString: 'y', hasOwnProperty: 'z' } }],
];

test('connections, answers and what is shared', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  const { host } = new URL(platform.url);
  const pathOf = async (name: string, source: string): Promise<string> => {
    await isolated.create(name, source, { Timeout: 20, MemorySize: 256 });
    return new URL(await isolated.url(name)).pathname.replace(/\/$/, '');
  };
  const [one, two, says, large] = [
    await pathOf('one', ECHO),
    await pathOf('two', ECHO),
    await pathOf('says', SAYS),
    await pathOf('large', LARGE),
  ];
  const streaming = async (name: string, source: string): Promise<string> => {
    await isolated.create(name, source, { Timeout: 20 });
    const body = JSON.stringify({ AuthType: 'NONE', InvokeMode: 'RESPONSE_STREAM' });
    const made = await fetch(`${platform.url}/2021-10-31/functions/${name}/url`, { method: 'POST', body });
    const { FunctionUrl } = (await made.json()) as { FunctionUrl: string };
    return `/_url/${new URL(FunctionUrl).hostname.split('.')[0]}`;
  };
  const [streams, endless] = [await streaming('streams', STREAMS), await streaming('endless', ENDLESS)];
  const neighbour = await startNeighbour(isolated);
  const attempt = attacking(t, isolated, neighbour);
  const post = (path: string, body: string, more = '') =>
    `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: text/plain\r\n${more}content-length: ${body.length}\r\n\r\n${body}`;

  for (const [what, answer] of SPLITTING) {
    await attempt(`a function answers with ${what}`, async () => {
      const body = JSON.stringify({ statusCode: 200, body: 'body', ...answer });
      // Answered on the connection itself, by node:http, and as a stream.
      for (const [path, more] of [
        [says, ''],
        [says, 'te: trailers\r\n'],
        [streams, ''],
      ] as const) {
        const client = wire(platform.url);
        client.send(post(path, body, more));
        const first = await client.until(1);
        assert.ok([200, 502].includes(first[0]!.status), client.text());
        client.send(post(one, 'next', 'x-token: t\r\nconnection: close\r\n'));
        const answers = await client.closed();
        const { head } = answers[0]!;
        assert.ok(!/^(x-forged|set-cookie|upgrade|trailer):/im.test(head) && !head.includes('chunked\r\ncontent-length'), head);
        assert.ok((head.match(/^(content-length|transfer-encoding):/gim) ?? []).length === 1, head);
        // A connection that was ended with the first answer has nothing more to say.
        assert.deepEqual(
          answers.slice(1).map((next) => next.body),
          answers.length === 1 ? [] : ['one t next'],
        );
      }
    });
  }

  await attempt('heads and bodies that come byte by byte', async () => {
    const slow = Array.from({ length: 300 }, (_, i) => {
      const client = wire(platform.url);
      client.send(
        i % 3 === 0
          ? 'GET / HT'
          : i % 3 === 1
            ? `GET ${one} HTTP/1.1\r\nhost: ${host}\r\nx-a: `
            : `POST ${one} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 100\r\n\r\n`,
      );
      const drip = setInterval(() => client.send('a'), 500);
      return { client, over: client.closed().finally(() => clearInterval(drip)), body: i % 3 === 2 };
    });
    const others = await Promise.all(Array.from({ length: 20 }, () => fetch(`${platform.url}${one}/`)));
    assert.ok(others.every(({ status }) => status === 200));
    // Heads have to be there in time, whatever comes of them.
    for (const { over } of slow.filter(({ body }) => !body))
      assert.ok((await over).every(({ status }) => status === 408 || status === 400));
    for (const { client } of slow) client.destroy();
  });
  await attempt('large answers and endless streams that nobody reads', async () => {
    const before = memoryMiB(platform.process.pid!);
    const idle = Array.from({ length: 60 }, (_, i) => {
      const client = wire(platform.url);
      client.socket.pause();
      client.send(post(i % 2 === 0 ? large : endless, '', i % 4 === 0 ? 'te: trailers\r\n' : ''));
      return client;
    });
    const others = await Promise.all(Array.from({ length: 20 }, () => fetch(`${platform.url}${one}/`)));
    assert.ok(others.every(({ status }) => status === 200));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.ok(memoryMiB(platform.process.pid!) < before + 600);
    for (const client of idle) client.destroy();
  });
  await attempt('one client that asks for a thousand large answers and reads none', async () => {
    const before = memoryMiB(platform.process.pid!);
    const client = wire(platform.url);
    client.socket.pause();
    client.send(post(large, '', 'te: trailers\r\n').repeat(200));
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(memoryMiB(platform.process.pid!) < before + 400);
    }
    client.destroy();
  });
  await attempt('connections that are reset or half closed anywhere in a request', async () => {
    const whole = post(one, 'x'.repeat(1_000), 'x-token: t\r\n');
    for (let at = 0; at < 200; at++) {
      const client = wire(platform.url);
      client.send(whole.slice(0, Math.floor((whole.length * at) / 200)));
      await new Promise(setImmediate);
      if (at % 3 === 0) client.socket.resetAndDestroy();
      else if (at % 3 === 1) client.socket.end();
      else client.destroy();
    }
  });

  await attempt("under load with clients that go away nobody gets what is another's", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 12 });
    closeAfter(t, () => agent.destroy());
    let serial = 0;
    const ask = (index: number) =>
      new Promise<void>((resolve, reject) => {
        const [name, path] = index % 2 === 0 ? ['one', one] : ['two', two];
        const token = `token-${++serial}`;
        const body = token.repeat((serial % 40) * 50);
        const headers = {
          'x-token': token,
          'content-type': 'text/plain',
          'x-wait': String(serial % 7),
          ...(serial % 5 === 0 && { te: 'trailers' }),
        };
        const sent = httpRequest(`${platform.url}${path}`, { agent, method: 'POST', headers }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('error', () => resolve());
          response.on('close', () => {
            if (!response.complete) return resolve();
            if (response.statusCode === 429) return resolve();
            if (text === `${name} ${token} ${body}` && response.headers['x-function'] === name) resolve();
            else
              reject(
                new Error(`${name} ${token} got ${response.statusCode} ${response.headers['x-function'] as string} ${text.slice(0, 200)}`),
              );
          });
        });
        // Those that are ended by us, and others on a connection that the platform has just closed.
        sent.on('error', () => resolve());
        sent.end(body);
        if (serial % 6 === 0) setTimeout(() => sent.destroy(), serial % 5);
      });
    const worker = async (index: number) => {
      for (let i = 0; i < 60; i++) await ask(index);
    };
    await Promise.all(Array.from({ length: 24 }, (_, index) => worker(index)));
  });
  await attempt('a short request after a long one on the same connection has nothing of it', async () => {
    const client = wire(platform.url);
    for (let i = 0; i < 30; i++) {
      const long = `secret-${i}-`.repeat(3_000);
      client.send(post(one, long, 'x-token: a\r\n'));
      await client.until(i * 2 + 1);
      client.send(post(two, 'short', 'x-token: b\r\n'));
      const answers = await client.until(i * 2 + 2);
      assert.equal(answers.at(-2)!.body, `one a ${long}`);
      assert.equal(answers.at(-1)!.body, 'two b short');
    }
    client.destroy();
  });
});
