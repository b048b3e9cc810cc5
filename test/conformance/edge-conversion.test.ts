/** Requests as the gateway makes events of them, as an edge module sees them, and its Responses on their way back: nothing is lost between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toRequest } from '../../runtimes/node/edge-request.ts';
import { userVariables } from '../../runtimes/node/edge.ts';
import { sendResponse } from '../../runtimes/node/edge-response.ts';
import type { Head, Output } from '../../runtimes/node/edge-response.ts';
import { toDeployment } from '../../src/main/deployments.ts';
import { decodePrelude, decodeUrlResponse, jsonOf, urlEventEncoder, urlEventShape } from '../../src/protocol/mod.ts';
import type { UrlRequest } from '../../src/protocol/mod.ts';

const FORMAT = { version: 2, multiValue: false } as const;
const shape = urlEventShape({ urlId: 'id', domainName: 'id.lambda-url.us-east-1.localhost' });
const encoder = urlEventEncoder();

function eventOf(more: Partial<UrlRequest>): unknown {
  const request: UrlRequest = {
    ...{ method: 'POST', path: '/', query: '', rawHeaders: [], httpVersion: '1.1', sourceIp: '127.0.0.1', port: 4566 },
    ...{ requestId: 'r', timeMs: 0, trace: 'Root=1', ...more },
  };
  return JSON.parse(jsonOf(encoder.encode(shape, request)));
}

const headerName = fc.stringMatching(/^[a-z][a-z-]{0,12}$/).filter((name) => !name.startsWith('x-') && !OWN.has(name));
const OWN = new Set(['te', 'host', 'cookie', 'set-cookie', 'content-type', 'content-encoding', 'content-length']);
/** As it can be in a header: Latin-1, without blanks around it, and not empty. */
const headerValue = fc
  .stringMatching(/^[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?$/)
  .filter((text) => text === text.trim());
const headers = fc.dictionary(headerName, headerValue, { maxKeys: 6 });
const pathText = fc.stringMatching(/^(\/[\w~!$&'()*+,;=:@-]{0,8}|\/%[0-9A-F]{2}x){1,4}$/);
const queryText = fc.stringMatching(/^[\w%+&=~./?:@-]{0,30}$/);

test('method, URL, headers and bytes of a request are those that were sent', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'),
      pathText,
      queryText,
      headers,
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('text/plain; charset=utf-8', 'application/json', 'application/octet-stream', undefined),
      async (method, path, query, given, bytes, type) => {
        const all = { ...given, host: 'shop.example:8080', ...(type !== undefined && { 'content-type': type }) };
        const event = eventOf({ method, path, query, rawHeaders: Object.entries(all).flat(), body: Buffer.from(bytes) });
        const { request, format } = toRequest(event);
        assert.deepEqual([request.method, format], [method, FORMAT]);
        assert.equal(request.url, new URL(`http://shop.example:8080${path}${query === '' ? '' : `?${query}`}`).href);
        for (const [name, value] of Object.entries(all)) assert.equal(request.headers.get(name), value);
        const added = ['x-amzn-trace-id', 'x-forwarded-for', 'x-forwarded-port', 'x-forwarded-proto'];
        assert.deepEqual(
          [...request.headers.keys()].filter((name) => !(name in all)),
          added,
        );
        assert.deepEqual(await request.bytes(), new Uint8Array(bytes));
      },
    ),
  );
});

test('cookies come as one header, whether the event has that too or not', () => {
  const sent = eventOf({ rawHeaders: ['Cookie', 'a=1; b="2"', 'cookie', 'c=3'] });
  assert.equal(toRequest(sent).request.headers.get('cookie'), 'a=1; b="2"; c=3');
  const http = { http: { method: 'GET' } };
  assert.equal(toRequest({ cookies: ['a=1', 'b=2'], requestContext: http }).request.headers.get('cookie'), 'a=1; b=2');
});

test('what is about the connection is left out', () => {
  const headers = { connection: 'close', 'Transfer-Encoding': 'chunked', expect: '100-continue', te: 'x', upgrade: 'h2c', 'x-a': 'b' };
  assert.deepEqual([...toRequest({ headers, requestContext: { http: { method: 'GET' } } }).request.headers], [['x-a', 'b']]);
});

test('a host that could be taken for something else gives way to the name of the URL', () => {
  const domainName = 'id.lambda-url.us-east-1.localhost';
  const urlOf = (host: string, more: Record<string, string> = {}) =>
    toRequest({ rawPath: '//x/', headers: { host, ...more }, requestContext: { domainName, http: { method: 'GET' } } }).request.url;
  for (const host of ['', 'a b', 'a/b', 'a@b', 'a?b', 'a#b', 'a:99999', 'a:b', '[', '[::1', '1.2.3.4.5.6.7.8.999', 'a\\b'])
    assert.equal(urlOf(host), `http://${domainName}//x/`, host);
  assert.equal(urlOf('[::1]:4566'), 'http://[::1]:4566//x/');
  assert.equal(urlOf('a_b.example:80'), 'http://a_b.example//x/');
  assert.equal(urlOf('a', { 'x-forwarded-proto': 'https, http' }), 'https://a//x/');
  assert.equal(urlOf('a', { 'x-forwarded-proto': 'javascript' }), 'http://a//x/');
  assert.equal(toRequest({ requestContext: { http: { method: 'GET' } } }).request.url, 'http://localhost/');
});

/** What the gateway makes of a Response. */
async function sent(response: Response, method = 'GET') {
  let head: Head | undefined;
  const chunks: Uint8Array[] = [];
  const output: Output = {
    begin: (given) => (head = given),
    write: (chunk) => void chunks.push(Buffer.from(chunk)),
    drained: () => Promise.resolve(),
  };
  const text = await sendResponse(response, { method, format: FORMAT, output });
  if (text !== undefined) {
    const { body, ...rest } = decodeUrlResponse(Buffer.from(text))!;
    return { ...rest, body: Buffer.from(body) };
  }
  return { ...decodePrelude(head!, '')!, body: Buffer.concat(chunks) };
}

const responseHeaders = headers.filter((given) => !['connection', 'te', 'trailer', 'upgrade'].some((name) => name in given));

test('status, headers, cookies and bytes of a response are those that the module gave, whole or in chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 200, max: 599 }).filter((status) => ![204, 205, 304].includes(status)),
      responseHeaders,
      fc.array(fc.stringMatching(/^\w{1,5}=[\w ,;=/]{0,10}\w$/), { maxLength: 3 }),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 80_000 }), { maxLength: 3 }),
      fc.boolean(),
      async (status, given, cookies, chunks, streams) => {
        const all = new Headers(given);
        for (const cookie of cookies) all.append('set-cookie', cookie);
        const left = chunks.map((chunk) => new Uint8Array(chunk));
        const body = new ReadableStream({
          async pull(controller) {
            if (streams) await new Promise(setImmediate);
            const chunk = left.shift();
            if (chunk) controller.enqueue(chunk);
            else controller.close();
          },
        });
        const answer = await sent(new Response(body, { status, headers: all }));
        assert.equal(answer.status, status);
        assert.deepEqual(answer.body, Buffer.concat(chunks));
        const pairs = Array.from({ length: answer.headers.length / 2 }, (_, i) => answer.headers.slice(2 * i, 2 * i + 2));
        assert.deepEqual(
          pairs.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
          cookies,
        );
        assert.deepEqual(Object.fromEntries(pairs.filter(([name]) => name !== 'set-cookie')), { ...given });
      },
    ),
    { numRuns: 60 },
  );
});

test('a response without a content type is sent without one', async () => {
  assert.deepEqual((await sent(new Response(new Uint8Array(1)))).headers, []);
  assert.deepEqual((await sent(new Response(new Uint8Array(100_000)))).headers, []);
  assert.deepEqual((await sent(new Response(null, { status: 204 }))).headers, []);
  assert.deepEqual((await sent(new Response('x'))).headers, ['content-type', 'text/plain;charset=UTF-8']);
});

test('a class of its own will do for a Response', async () => {
  const body = new Response('like one').body;
  const like = { status: 200, headers: new Headers({ 'x-a': 'b' }), body, bodyUsed: false } as unknown as Response;
  const answer = await sent(like);
  assert.deepEqual([answer.headers, answer.body.toString()], [['x-a', 'b'], 'like one']);
});

test('env has the variables that the user has set, and none that the platform sets', () => {
  const own = { COLOUR: 'red', AWS_BUCKET: 'b', _UNUSUAL: '1' };
  const settings = { handler: 'index', runtime: 'nodejs26.x', memoryMiB: 128, tmpMiB: 512, timeoutSeconds: 3, environment: own };
  for (const network of [true, false]) {
    const { spec } = toDeployment(
      { name: 'f', record: { tags: {}, aliases: [] }, versions: new Map() } as never,
      {
        record: {
          version: '1',
          settings: { ...settings, logging: { format: 'JSON', group: 'g', applicationLevel: 'INFO' } },
          modifiedMs: 0,
          deploymentId: 'd',
        },
        code: { kind: 'ready', directory: '/code', layers: [] },
      } as never,
      {
        realm: { region: 'r', accountId: '0' },
        ownNetwork: network,
        hostUrl: 'http://h',
        credentials: { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' },
      },
    );
    assert.deepEqual(userVariables(spec.environment), own);
  }
});
