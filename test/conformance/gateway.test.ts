import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthError, LIMITS } from '../../src/kernel/mod.ts';
import { HOST, URL_ID, answer, raw, start } from './gateway-setup.testing.ts';
import type { Call } from './gateway-setup.testing.ts';

const echo = (call: Call) =>
  answer(call, {
    statusCode: 200,
    headers: { 'content-type': call.event.headers['content-type'] ?? 'text/plain' },
    body: call.event.body ?? '',
    isBase64Encoded: call.event.isBase64Encoded,
  });
const returning = (value: unknown) => (call: Call) => answer(call, value);

test('a function URL answers by its host name', async (t) => {
  const { port, calls } = await start(t, {
    function: returning({ statusCode: 201, headers: { 'x-a': 'b' }, cookies: ['s=1', 't=2'], body: 'hi' }),
  });
  const request = httpRequest({ port, host: '127.0.0.1', path: '/any/path?x=1&x=2', headers: { host: HOST, 'x-y': 'z' } }).end();
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  assert.equal(response.statusCode, 201);
  assert.equal(response.headers['x-a'], 'b');
  assert.deepEqual(response.headers['set-cookie'], ['s=1', 't=2']);
  assert.equal(response.headers['content-length'], '2');
  assert.equal(response.headers['x-amzn-requestid'], calls[0]!.invocation.requestId);
  const { event } = calls[0]!;
  assert.equal(event.rawPath, '/any/path');
  assert.equal(event.rawQueryString, 'x=1&x=2');
  assert.deepEqual(event.queryStringParameters, { x: '1,2' });
  assert.equal(event.headers['host'], HOST);
  assert.equal(event.requestContext.requestId, calls[0]!.invocation.requestId);
  response.resume();
});

test('a function URL answers by its path, which the function does not see', async (t) => {
  const { url, calls } = await start(t, { function: returning('ok') });
  for (const [path, seen] of [
    ['', '/'],
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['?q=1', '/'],
    ['//x', '//x'],
  ] as const) {
    const response = await fetch(`${url}/_url/${URL_ID}${path}`);
    assert.equal(await response.text(), '"ok"');
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.equal(calls.at(-1)!.event.rawPath, seen);
  }
});

test('an unknown URL is not found, and other requests are left to others', async (t) => {
  const { url } = await start(t, { function: returning('ok') });
  assert.equal((await fetch(`${url}/_url/nobody/`)).status, 404);
  assert.equal(await (await fetch(`${url}/2015-03-31/functions`)).text(), 'not the gateway');
});

test('any bytes go through a function and back unchanged', async (t) => {
  const { base } = await start(t, { function: echo });
  const type = fc.constantFrom('application/octet-stream', 'text/plain', 'application/json');
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), type, async (bytes, contentType) => {
      const response = await fetch(base, {
        method: 'POST',
        body: bytes,
        headers: { 'content-type': contentType },
      });
      assert.deepEqual(new Uint8Array(await response.arrayBuffer()), new Uint8Array(bytes));
    }),
    { numRuns: 50 },
  );
});

test('requests follow one another on one connection, also when they are sent without waiting', async (t) => {
  const held: Call[] = [];
  const { port, calls } = await start(t, { function: (call) => void held.push(call) });
  const client = await raw(t, port);
  const get = (n: number) => `GET /${n} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
  client.socket.write(get(1) + get(2) + get(3));
  while (held.length < 3) await new Promise(setImmediate);
  // Answered in another order than asked, they still come in the order in which they were asked.
  for (const n of [3, 1, 2]) answer(held[n - 1]!, { n });
  const text = await client.until((all) => all.includes('{"n":3}'));
  assert.deepEqual(
    [...text.matchAll(/\{"n":(\d)\}/g)].map((match) => match[1]),
    ['1', '2', '3'],
  );
  assert.equal(calls.length, 3);
});

test('six MiB go in and out; one byte more is refused with 413, and the connection goes on', async (t) => {
  const { port, base } = await start(t, { function: returning({ statusCode: 200, body: 'x'.repeat(LIMITS.payloadBytes) }) });
  const body = Buffer.alloc(LIMITS.payloadBytes, 'x');
  const response = await fetch(base, { method: 'POST', body, headers: { 'content-type': 'text/plain' } });
  assert.equal((await response.arrayBuffer()).byteLength, LIMITS.payloadBytes);

  const client = await raw(t, port);
  client.socket.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${LIMITS.payloadBytes + 1}\r\n\r\n`);
  client.socket.write(Buffer.alloc(LIMITS.payloadBytes + 1, 'x'));
  const refusal = await client.until((text) => text.includes('"}'));
  assert.match(refusal, /^HTTP\/1\.1 413 /);
  client.socket.write(`GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await client.until((text) => text.includes('HTTP/1.1 200 OK'));
});

test('a body without an announced length is refused where it passes the limit', async (t) => {
  const { base, calls } = await start(t, { function: echo });
  const chunk = new Uint8Array(1024 * 1024);
  let left = 7;
  const stream = new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(chunk);
      else controller.close();
    },
  });
  const response = await fetch(base, { method: 'POST', body: stream, duplex: 'half' });
  assert.equal(response.status, 413);
  assert.equal(calls.length, 0);
});

test('whoever asks whether to go on is told no before the body is sent', async (t) => {
  const { port } = await start(t, { function: echo });
  const client = await raw(t, port);
  client.socket.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n`);
  assert.match(await client.until((text) => text.includes('\r\n\r\n')), /^HTTP\/1\.1 413 /);
  const other = await raw(t, port);
  other.socket.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  assert.match(await other.until((text) => text.includes('\r\n\r\n')), /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  other.socket.write('ok');
  assert.match(await other.until((text) => text.endsWith('ok')), /HTTP\/1\.1 200 OK/);
});

test('HEAD gets the head of the answer alone, 204 and 304 have no body', async (t) => {
  const { base } = await start(t, { function: (call) => answer(call, { statusCode: Number(call.event.rawPath.slice(1)), body: 'abc' }) });
  const head = await fetch(`${base}/200`, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '3');
  assert.equal(await head.text(), '');
  for (const status of [204, 304]) {
    const response = await fetch(`${base}/${status}`);
    assert.equal(response.status, status);
    assert.equal(response.headers.get('content-length'), null);
  }
});

test('what goes wrong in a function, its caller gets to know by the status alone', async (t) => {
  const error = (errorType: string) => ({ kind: 'functionError', error: { errorType, errorMessage: 'secret' } }) as const;
  const refused = (code: 'TooManyRequestsException' | 'RequestTooLargeException' | 'ShuttingDown' | 'SandboxFailed') =>
    ({ kind: 'refused', code, message: 'why' }) as const;
  const cases = [
    [error('TypeError'), 502],
    [error('Sandbox.Timedout'), 504],
    [error('Runtime.ExitError'), 502],
    [refused('TooManyRequestsException'), 429],
    [refused('RequestTooLargeException'), 413],
    [refused('ShuttingDown'), 503],
    [refused('SandboxFailed'), 502],
    [{ kind: 'answered', payload: Buffer.from('{"statusCode":"no"}') } as const, 502],
    [{ kind: 'answered', payload: Buffer.from('not json') } as const, 502],
  ] as const;
  for (const mode of ['BUFFERED', 'RESPONSE_STREAM'] as const) {
    let next = 0;
    const { base } = await start(t, { function: (call) => call.listener.end(cases[next++]![0]), route: { invokeMode: mode } });
    for (const [outcome, status] of cases) {
      const response = await fetch(base);
      const text = await response.text();
      assert.equal(response.status, status, JSON.stringify(outcome));
      assert.ok(!text.includes('secret'));
      assert.equal(typeof (JSON.parse(text) as { message: unknown }).message, 'string');
    }
  }
});

test('the target of a proxy request and a star are understood', async (t) => {
  const { port, calls } = await start(t, { function: returning('ok') });
  const client = await raw(t, port);
  client.socket.write(`GET http://${HOST}/a?b=c HTTP/1.1\r\nHost: ${HOST}\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await client.until((text) => text.split('"ok"').length === 3);
  assert.deepEqual(
    calls.map(({ event }) => event.rawPath),
    ['/a', '/'],
  );
});

test('CORS is answered as configured, preflight without the function', async (t) => {
  const cors = {
    allowOrigins: ['https://a.example', 'https://*.b.example'],
    allowMethods: ['GET', 'PUT'],
    allowHeaders: ['x-h'],
    exposeHeaders: ['x-e'],
    maxAgeSeconds: 60,
    allowCredentials: true,
  };
  const { base, calls } = await start(t, {
    function: returning({ statusCode: 200, headers: { 'Access-Control-Allow-Origin': '*' }, body: '' }),
    route: { cors },
  });
  const preflight = await fetch(base, {
    method: 'OPTIONS',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'PUT' },
  });
  const header = (response: Response, name: string) => response.headers.get(`access-control-${name}`);
  assert.equal(preflight.status, 200);
  assert.equal(header(preflight, 'allow-origin'), 'https://a.example');
  assert.equal(header(preflight, 'allow-methods'), 'GET,PUT');
  assert.equal(header(preflight, 'allow-headers'), 'x-h');
  assert.equal(header(preflight, 'max-age'), '60');
  assert.equal(calls.length, 0);
  const allowed = await fetch(base, { headers: { origin: 'https://x.b.example' } });
  assert.equal(header(allowed, 'allow-origin'), 'https://x.b.example');
  assert.equal(header(allowed, 'allow-credentials'), 'true');
  assert.equal(header(allowed, 'expose-headers'), 'x-e');
  const foreign = await fetch(base, {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'PUT' },
  });
  assert.equal(header(foreign, 'allow-origin'), null);
});

test('a URL with AuthType AWS_IAM asks before the body is read and again with it', async (t) => {
  const seen: string[] = [];
  const { base, calls } = await start(t, {
    function: returning('ok'),
    route: { authType: 'AWS_IAM' },
    admit(request) {
      if (!request.headers.authorization) throw new HearthError('MissingAuthenticationTokenException', 'sign it');
      return {
        accessKeyId: 'AKIAX',
        confirm(body) {
          seen.push(Buffer.from(body).toString());
          if (body.length > 3) throw new HearthError('InvalidSignatureException', 'changed');
        },
      };
    },
  });
  assert.equal((await fetch(base)).status, 403);
  assert.equal((await fetch(base, { method: 'POST', body: 'long', headers: { authorization: 'x' } })).status, 403);
  assert.equal((await fetch(base, { method: 'POST', body: 'abc', headers: { authorization: 'x' } })).status, 200);
  assert.deepEqual(seen, ['long', 'abc']);
  assert.equal(calls.length, 1);
  assert.equal(calls[0]!.event.requestContext.authorizer?.iam.accessKey, 'AKIAX');
});
