import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormEvent, jsonOf } from './event-form.ts';
import { urlEventEncoder, urlEventShape } from './http-event.ts';
import type { UrlRequest } from './http-event.ts';
import { parsePlainRequest } from './http-request.ts';
import type { PlainHead } from './http-request.ts';

const shape = urlEventShape({ urlId: 'abc', domainName: 'abc.lambda-url.us-east-1.localhost' });
const encoder = urlEventEncoder();

type Event = {
  rawPath: string;
  rawQueryString: string;
  cookies?: string[];
  headers: Record<string, string>;
  queryStringParameters?: Record<string, string>;
  requestContext: { accountId: string; authorizer?: { iam: { accessKey: string } }; time: string; http: Record<string, string> };
  body?: string;
  isBase64Encoded: boolean;
};

function event(request: Partial<UrlRequest>): Event {
  const whole: UrlRequest = {
    method: 'GET',
    path: '/',
    query: '',
    rawHeaders: [],
    httpVersion: '1.1',
    sourceIp: '127.0.0.1',
    port: 4566,
    requestId: 'a8c8169b-02fb-4762-8419-1fbbd4f7b336',
    timeMs: 1_660_809_171_317,
    trace: 'Root=1-62fdefd3-1e5a14477f1ac5860602b53b',
    ...request,
  };
  return JSON.parse(jsonOf(encoder.encode(shape, whole))) as Event;
}

test('a plain request becomes the event that Lambda documents, field for field', () => {
  assert.deepEqual(event({ path: '/x', query: 'network=all', rawHeaders: ['Host', 'h', 'User-Agent', 'curl/8'] }), {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/x',
    rawQueryString: 'network=all',
    headers: {
      host: 'h',
      'user-agent': 'curl/8',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': '4566',
      'x-forwarded-proto': 'http',
      'x-amzn-trace-id': 'Root=1-62fdefd3-1e5a14477f1ac5860602b53b',
    },
    queryStringParameters: { network: 'all' },
    requestContext: {
      accountId: 'anonymous',
      apiId: 'abc',
      domainName: 'abc.lambda-url.us-east-1.localhost',
      domainPrefix: 'abc',
      http: { method: 'GET', path: '/x', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'curl/8' },
      requestId: 'a8c8169b-02fb-4762-8419-1fbbd4f7b336',
      routeKey: '$default',
      stage: '$default',
      time: '18/Aug/2022:07:52:51 +0000',
      timeEpoch: 1_660_809_171_317,
    },
    isBase64Encoded: false,
  });
});

test('a header that comes several times is joined by commas, cookies become an array', () => {
  const got = event({ rawHeaders: ['X-A', '1', 'x-a', '2', 'Cookie', 'a=1; b=2', 'cookie', 'c=3'] });
  assert.equal(got.headers['x-a'], '1,2');
  assert.deepEqual(got.cookies, ['a=1', 'b=2', 'c=3']);
});

test('what a proxy before us has said about the client is kept, and our peer is added', () => {
  const got = event({
    rawHeaders: ['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Port', '443', 'X-Amzn-Trace-Id', 'Root=1'],
  });
  assert.equal(got.headers['x-forwarded-for'], '203.0.113.9, 127.0.0.1');
  assert.equal(got.headers['x-forwarded-proto'], 'https');
  assert.equal(got.headers['x-forwarded-port'], '443');
  assert.equal(got.headers['x-amzn-trace-id'], 'Root=1');
});

test('query parameters are decoded, and those that come several times joined by commas', () => {
  const query = 'a=1&a=2&b=%C3%A4+x&c&=e&d=100%&f=a%2Cb&&__proto__=p';
  const got = event({ query });
  assert.equal(got.rawQueryString, query);
  const expected = { a: '1,2', b: 'ä x', c: '', '': 'e', d: '100%', f: 'a,b', ['__proto__']: 'p' };
  assert.deepEqual(got.queryStringParameters, expected);
});

test('a body is text only when its type says so, it is UTF-8 and not compressed', () => {
  const body = Buffer.from('{"a":"ä"}');
  const typed = (...rawHeaders: string[]) => event({ method: 'POST', rawHeaders, body });
  for (const type of ['application/json', 'text/plain; charset=utf-8', 'application/vnd.api+json', 'application/xml', 'Application/JSON']) {
    assert.deepEqual([typed('content-type', type).body, typed('content-type', type).isBase64Encoded], ['{"a":"ä"}', false], type);
  }
  const binary = [
    typed(),
    typed('content-type', 'application/x-www-form-urlencoded'),
    typed('content-type', 'image/png'),
    typed('content-type', 'application/json', 'content-encoding', 'gzip'),
  ];
  for (const got of binary) assert.deepEqual([got.body, got.isBase64Encoded], [body.toString('base64'), true]);
  const latin = event({ rawHeaders: ['content-type', 'text/plain'], body: Buffer.from([0x41, 0xe4]) });
  assert.deepEqual([latin.body, latin.isBase64Encoded], ['QeQ=', true]);
});

test('with an IAM caller the event says who that is', () => {
  const iam = urlEventShape({ urlId: 'abc', domainName: 'd', caller: { accessKey: 'AKIAX', accountId: '000000000000' } });
  const request = {
    method: 'GET',
    path: '/',
    query: '',
    rawHeaders: [],
    httpVersion: '1.1',
    sourceIp: '::1',
    port: 1,
    requestId: 'r',
    timeMs: 0,
    trace: 't',
  };
  const got = JSON.parse(jsonOf(encoder.encode(iam, request))) as Event;
  assert.equal(got.requestContext.authorizer?.iam.accessKey, 'AKIAX');
  assert.equal(got.requestContext.accountId, '000000000000');
});

test('whatever is sent, the event is valid JSON and holds every byte of it', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/).map((n) => `q-${n}`);
  const headers = fc.uniqueArray(fc.tuple(name, text), { selector: ([n]) => n.toLowerCase(), maxLength: 6 });
  const type = fc.constantFrom('text/plain', 'application/json', 'image/png');
  fc.assert(
    fc.property(
      text,
      fc.array(fc.tuple(text, text), { maxLength: 5 }),
      headers,
      fc.uint8Array({ maxLength: 40 }),
      type,
      (path, pairs, heads, bytes, t) => {
        const query = pairs.map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join('&');
        const got = event({ path: `/${path}`, query, rawHeaders: [...heads.flat(), 'content-type', t], body: Buffer.from(bytes) });
        assert.equal(got.rawPath, `/${path}`);
        for (const [k, v] of heads) assert.equal(got.headers[k.toLowerCase()], v);
        const expected = new Map<string, string>();
        for (const [k, v] of pairs) expected.set(k, expected.has(k) ? `${expected.get(k)!},${v}` : v);
        assert.deepEqual(new Map(Object.entries(got.queryStringParameters ?? {})), expected);
        const body = got.body === undefined ? Buffer.alloc(0) : Buffer.from(got.body, got.isBase64Encoded ? 'base64' : 'utf8');
        assert.deepEqual(body, Buffer.from(bytes));
      },
    ),
  );
});

test('many header names do not make it forget which came twice', () => {
  for (let i = 0; i < 3_000; i++) event({ rawHeaders: [`x-${i}`, 'v'] });
  assert.equal(event({ rawHeaders: ['X-2999', '1', 'x-2999', '2'] }).headers['x-2999'], '1,2');
});

test('a client that repeats itself fills in a form, and the event is the same', () => {
  const header = fc.constantFrom(
    'user-agent: x',
    'Cookie: a=b; c=d',
    'content-type: text/plain',
    'X-Forwarded-For: 1.2.3.4',
    'x-q: \xe4"\\',
  );
  const ownTrace = fc.constantFrom('', 'x-amzn-trace-id: Root=1\r\n');
  const target = fc.constantFrom('/', '/a%20b', '/?x=1', '/p?a=%F0%9F%98%80&b=%E4', '/p?a=1&a=2&b');
  const body = fc.oneof(fc.constant(''), fc.string({ unit: 'binary', maxLength: 20 }), fc.constant('\xff\xfe'));
  let filled = 0;
  fc.assert(
    fc.property(fc.uniqueArray(header), ownTrace, fc.array(fc.tuple(target, body), { minLength: 2 }), (headers, trace, requests) => {
      let head: PlainHead | undefined;
      for (const [target, text] of requests) {
        const bytes = Buffer.from(text);
        const length = bytes.length === 0 ? '' : `content-length: ${bytes.length}\r\n`;
        const lines = headers.map((line) => `${line}\r\n`).join('');
        const plain = parsePlainRequest(`POST ${target} HTTP/1.1\r\nHost: h\r\n${lines}${trace}${length}\r\n`, head)!;
        head = plain.head;
        const mark = target.indexOf('?');
        const request: UrlRequest = {
          head,
          method: plain.method,
          path: mark < 0 ? target : target.slice(0, mark),
          query: mark < 0 ? '' : target.slice(mark + 1),
          rawHeaders: head.rawHeaders,
          httpVersion: '1.1',
          sourceIp: '127.0.0.1',
          port: 4566,
          requestId: 'a8c8169b-02fb-4762-8419-1fbbd4f7b336',
          timeMs: 1_660_809_171_317,
          trace: head.trace ?? 'Root=2',
          body: bytes.length === 0 ? undefined : bytes,
        };
        const encoded = encoder.encode(shape, request);
        if (encoded instanceof FormEvent) {
          filled++;
          assert.ok(encoded.mostBytes >= Buffer.byteLength(encoded.toJson()));
        }
        const { head: _, ...alone } = request;
        const plainly = encoder.encode(shape, alone);
        assert.equal(typeof plainly, 'string');
        assert.equal(JSON.stringify(JSON.parse(jsonOf(encoded))), JSON.stringify(JSON.parse(plainly as string)));
      }
    }),
  );
  assert.ok(filled > 50, `only ${filled} were filled in`);
});
