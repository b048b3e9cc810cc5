import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthError, LIMITS, silentLog, systemClock } from '../../src/kernel/mod.ts';
import { startHttpServer } from '../../src/main/http-server.ts';
import { HOST, answer, raw, start } from './gateway-setup.testing.ts';
import type { Call } from './gateway-setup.testing.ts';

const ok = (call: Call) => answer(call, 'ok');
const NO_GATEWAY = { serve: () => false, servePlain: () => false };

const MALFORMED: readonly (readonly [string, string])[] = [
  [
    'a length and chunks',
    `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
  ],
  ['two lengths', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
  ['a length that is no number', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5x\r\n\r\nhello`],
  ['a negative length', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: -1\r\n\r\n`],
  ['a chunk size that is no number', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`],
  ['a chunk longer than it says', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n`],
  ['an encoding after chunked', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
  ['a space before the colon', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length : 5\r\n\r\nhello`],
  ['a folded header', `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-A: b\r\n c: d\r\n\r\n`],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
];

for (const [what, bytes] of MALFORMED) {
  test(`a request that two readers could understand differently is refused: ${what}`, async (t) => {
    const { port, calls } = await start(t, { function: ok });
    const client = await raw(t, port);
    client.socket.write(bytes, 'latin1');
    assert.match(await client.untilClosed(), /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(calls.length, 0);
  });
}

test('headers over the limit are refused with 431', async (t) => {
  const { port } = await start(t, { function: ok });
  const client = await raw(t, port);
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-A: ${'x'.repeat(LIMITS.http.headerBytes)}\r\n\r\n`);
  assert.match(await client.untilClosed(), /^HTTP\/1\.1 431 /);
});

test('whoever does not get done with the headers, or the body, is sent away with 408', async (t) => {
  const { port, calls } = await start(t, { function: ok, limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } });
  const headers = await raw(t, port);
  headers.socket.write('GET / HTTP/1.1\r\nHost: ');
  const body = await raw(t, port);
  body.socket.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nabc`);
  assert.match(await headers.untilClosed(), /^HTTP\/1\.1 408 /);
  assert.match(await body.untilClosed(), /^HTTP\/1\.1 408 /);
  assert.equal(calls.length, 0);
});

test('connections over the limit are not taken', async (t) => {
  const { port } = await start(t, { function: ok, limits: { connections: 2 } });
  const held = [await raw(t, port), await raw(t, port)];
  const third = await raw(t, port);
  assert.equal(await third.untilClosed(), '');
  held[0]!.socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await held[0]!.until((text) => text.includes('"ok"'));
});

test('a port that is taken is said to be so, with what to do', async (t) => {
  const { port } = await start(t, { function: ok });
  const options = {
    host: '127.0.0.1',
    port,
    limits: LIMITS.http,
    gateway: NO_GATEWAY,
    control: () => {},
    clock: systemClock,
    log: silentLog,
  };
  await assert.rejects(startHttpServer(options), (error: unknown) => {
    assert.ok(error instanceof HearthError && error.code === 'AddressInUse');
    assert.match(error.message, /--port/);
    return true;
  });
});

test('closing lets what runs come to its end and takes nothing new', async (t) => {
  const held: Call[] = [];
  const server = await start(t, { function: (call) => void held.push(call) });
  const client = await raw(t, server.port);
  client.socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  while (held.length === 0) await new Promise(setImmediate);
  server.stop();
  await assert.rejects(fetch(server.url));
  answer(held[0]!, 'done');
  await client.until((text) => text.includes('"done"'));
  await server.close(10_000);
});
