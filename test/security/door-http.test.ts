/**
 * HTTP as attackers write it: requests that two readers could take for different ones, heads and bodies that no client sends. Each is
 * tried at a function URL, where the platform's own reader sees it first, and at the API.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/kernel/mod.ts';
import { startIsolated, startNeighbour } from '../e2e/platform.ts';
import { attacking } from './siege.ts';
import { wire } from './wire.ts';

/** Tells what it was sent. Also in its log, in which a request that nobody answers shows. */
const WITNESS = `export const handler = async (event) => {
  console.log('seen ' + event.requestContext.http.method + ' ' + event.rawPath);
  return { method: event.requestContext.http.method, path: event.rawPath, query: event.rawQueryString, headers: event.headers,
    body: event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString('latin1') : event.body ?? '' };
};`;

type Seen = { readonly method: string; readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly body: string };

/** `{line}` is method, path and version, `{host}` the header; `{smuggled}` a whole request that must never be taken for one. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['a length and chunks', '{line}{host}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}'],
  ['chunks and a length', '{line}{host}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n5c\r\n{smuggled}\r\n0\r\n\r\n'],
  ['two lengths', '{line}{host}content-length: 5\r\ncontent-length: 0\r\n\r\nhello{smuggled}'],
  ['the same length twice', '{line}{host}content-length: 5\r\ncontent-length: 5\r\n\r\nhello{smuggled}'],
  ['a list of lengths', '{line}{host}content-length: 5, 5\r\n\r\nhello{smuggled}'],
  ['a length with a sign', '{line}{host}content-length: +5\r\n\r\nhello{smuggled}'],
  ['a negative length', '{line}{host}content-length: -1\r\n\r\n{smuggled}'],
  ['a length in hexadecimal', '{line}{host}content-length: 0x5\r\n\r\nhello{smuggled}'],
  ['a length with a space in it', '{line}{host}content-length: 0 5\r\n\r\nhello{smuggled}'],
  ['a length over all bounds', '{line}{host}content-length: 99999999999999999999\r\n\r\n{smuggled}'],
  ['an encoding that is none', '{line}{host}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}'],
  ['chunks that are not the last encoding', '{line}{host}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{smuggled}'],
  ['an encoding in quotes', '{line}{host}transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n{smuggled}'],
  ['an encoding after a vertical tab', '{line}{host}transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n{smuggled}'],
  ['a space before the colon', '{line}{host}transfer-encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}'],
  ['a space before the colon of the length', '{line}{host}content-length : 5\r\n\r\nhello{smuggled}'],
  ['a header that goes on in the next line', '{line}{host}x-a: 1\r\n content-length: 5\r\n\r\nhello{smuggled}'],
  ['a first header that begins with a space', '{line} {host}\r\n\r\n{smuggled}'],
  ['lines that end with LF alone', 'GET {path} HTTP/1.1\nhost: {hostname}\n\n{smuggled}'],
  ['a line that ends with LF alone', '{line}{host}x-a: 1\ncontent-length: 5\r\n\r\nhello{smuggled}'],
  ['a line that ends with CR alone', '{line}{host}x-a: 1\rcontent-length: 5\r\n\r\nhello{smuggled}'],
  ['a zero byte in a value', '{line}{host}x-a: 1\x002\r\n\r\n{smuggled}'],
  ['a zero byte in a name', '{line}{host}x\x00a: 1\r\n\r\n{smuggled}'],
  ['a zero byte in the path', 'GET {path}\x00 HTTP/1.1\r\n{host}\r\n{smuggled}'],
  ['a header without a colon', '{line}{host}nothing\r\n\r\n{smuggled}'],
  ['a header without a name', '{line}{host}: nothing\r\n\r\n{smuggled}'],
  ['a name with brackets', '{line}{host}x(y): 1\r\n\r\n{smuggled}'],
  ['two hosts', '{line}{host}host: other.example\r\n\r\n{smuggled}'],
  ['the same host twice', '{line}{host}{host}\r\n{smuggled}'],
  ['no host', '{line}x-a: 1\r\n\r\n{smuggled}'],
  ['a chunk of negative size', '{line}{host}transfer-encoding: chunked\r\n\r\n-1\r\n{smuggled}'],
  ['a chunk whose size has a prefix', '{line}{host}transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n{smuggled}'],
  ['a chunk over all bounds', '{line}{host}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{smuggled}'],
  ['a chunk longer than it says', '{line}{host}transfer-encoding: chunked\r\n\r\n5\r\nhelloo\r\n0\r\n\r\n{smuggled}'],
  ['a chunk that ends with LF alone', '{line}{host}transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n{smuggled}'],
  ['a chunk extension with LF in it', '{line}{host}transfer-encoding: chunked\r\n\r\n5;a=\nb\r\nhello\r\n0\r\n\r\n{smuggled}'],
  ['a chunk extension without an end', `{line}{host}transfer-encoding: chunked\r\n\r\n5;${'a'.repeat(40_000)}`],
  ['a version that does not exist', 'GET {path} HTTP/1.7\r\n{host}\r\n{smuggled}'],
  ['a version in small letters', 'GET {path} http/1.1\r\n{host}\r\n{smuggled}'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{smuggled}'],
  ['no version', 'GET {path}\r\n{smuggled}'],
  ['a method in small letters', 'get {path} HTTP/1.1\r\n{host}\r\n{smuggled}'],
  ['a method that is none', 'G\x00ET {path} HTTP/1.1\r\n{host}\r\n{smuggled}'],
  ['a space in the path', 'GET {path}/a b HTTP/1.1\r\n{host}\r\n{smuggled}'],
  [
    'chunks in HTTP/1.0 with a length',
    'POST {path} HTTP/1.0\r\n{host}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{smuggled}',
  ],
  ['a header over the limit', `{line}{host}x-a: ${'a'.repeat(LIMITS.http.headerBytes)}\r\n\r\n{smuggled}`],
  ['headers over the limit together', `{line}{host}${'x-a: aaaaaaaaaaaaaaaa\r\n'.repeat(2_000)}\r\n{smuggled}`],
  ['more headers than are looked at', `{line}{host}${'a:\r\n'.repeat(1_500)}content-length: 5\r\n\r\nhello{smuggled}`],
  ['a path over the limit', `GET {path}/${'a'.repeat(LIMITS.http.headerBytes)} HTTP/1.1\r\n{host}\r\n{smuggled}`],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03{smuggled}'],
  ['a tunnel', 'CONNECT 127.0.0.1:22 HTTP/1.1\r\n{host}\r\n{smuggled}'],
];

test('HTTP that is not as it should be', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  await isolated.create('witness', WITNESS, { Timeout: 20 });
  const address = await isolated.url('witness');
  const { host } = new URL(platform.url);
  const path = new URL(address).pathname;
  const neighbour = await startNeighbour(isolated);

  const attempt = attacking(t, isolated, neighbour);
  const filled = (template: string, target: string) =>
    template
      .replaceAll('{line}', `POST ${target} HTTP/1.1\r\n`)
      .replaceAll('{host}', `host: ${host}\r\n`)
      .replaceAll('{hostname}', host)
      .replaceAll('{path}', target)
      .replaceAll('{smuggled}', `GET ${path}/smuggled HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  const log = async () => (await platform.hearth(['logs', 'witness'])).stdout;

  for (const [what, template] of REFUSED) {
    await attempt(`${what} is refused, and what follows it is not read`, async () => {
      for (const target of [path, '/2015-03-31/functions/witness/invocations']) {
        const client = wire(platform.url);
        client.send(filled(template, target));
        const answers = await client.closed();
        assert.ok(answers.length <= 1, client.text());
        for (const { status } of answers) assert.ok(status >= 400 && status < 500, `${target}: ${client.text()}`);
      }
    });
  }
  await attempt('a target that names another host than the header is refused, with the same host it is served', async () => {
    for (const authority of ['other.example', `x@${host}`, `${host}.other.example`, '']) {
      const client = wire(platform.url);
      client.send(`GET http://${authority}${path}/absolute HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      const [answer] = await client.closed();
      assert.equal(answer?.status, 400, `${authority}: ${client.text()}`);
    }
    const client = wire(platform.url);
    client.send(`GET http://${host}${path}/absolute HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    const [answer] = await client.closed();
    assert.ok(answer!.status === 404 || answer!.status === 200, client.text());
  });
  await attempt('names in the Host header that mean nothing lead nowhere', async () => {
    const id = path.slice('/_url/'.length).replace(/\/$/, '');
    for (const name of [
      `${id}.lambda-url.`,
      `../${id}.lambda-url.x`,
      `${id}%00.lambda-url.x`,
      `${id.toUpperCase()}.lambda-url.x`,
      '.lambda-url.x',
    ]) {
      const client = wire(platform.url);
      client.send(`GET /2015-03-31/functions HTTP/1.1\r\nhost: ${name}\r\nconnection: close\r\n\r\n`);
      const [answer] = await client.closed();
      assert.ok(answer!.status !== 200 || answer!.body.includes('"path":"/2015-03-31/functions"'), `${name}: ${client.text()}`);
      assert.ok(!answer!.body.includes('FunctionArn'), 'the API does not answer at other names');
    }
  });
  await attempt('what follows a request that is refused is not read, however good what came before was', async () => {
    const good = `GET ${path}/first HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    for (const bad of [
      'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      'nonsense\r\n\r\n',
      `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: x\r\n\r\n`,
    ]) {
      const client = wire(platform.url);
      client.send(`${good}${bad}GET ${path}/smuggled HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      const answers = await client.closed();
      assert.ok(answers.length <= 2 && answers.slice(1).every(({ status }) => status === 400), client.text());
    }
  });
  await attempt('an upgrade is not one, and the connection stays HTTP', async () => {
    const client = wire(platform.url);
    client.send(`GET ${path}/plain HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n`);
    const answers = await client.until(1);
    assert.ok(answers[0]!.status !== 101, client.text());
    client.destroy();
  });
  await attempt('an expectation nobody knows is refused, and one that is refused ends the connection', async () => {
    const unknown = wire(platform.url);
    unknown.send(`POST ${path} HTTP/1.1\r\nhost: ${host}\r\nexpect: miracles\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok`);
    assert.equal((await unknown.closed())[0]!.status, 417);
    for (const target of [path, '/_hearth/keys']) {
      const client = wire(platform.url);
      const line = `POST ${target} HTTP/1.1\r\nhost: ${host}\r\norigin: https://evil.example\r\n`;
      client.send(`${line}expect: 100-continue\r\ncontent-length: 99999999\r\n\r\nGET ${path}/smuggled HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      const answers = await client.closed();
      assert.deepEqual([answers.length, answers[0]!.status >= 400], [1, true], client.text());
    }
  });
  await attempt('bodies in chunks, with extensions and trailers, are one body, and trailers no headers', async () => {
    const client = wire(platform.url);
    const chunks = '2;a=b\r\nhe\r\n3;c="d;e"\r\nllo\r\n0\r\nx-admin: yes\r\n\r\n';
    client.send(`POST ${path}/chunks HTTP/1.1\r\nhost: ${host}\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`);
    const [answer] = await client.until(1);
    const seen = JSON.parse(answer!.body) as Seen;
    assert.deepEqual([seen.body, seen.headers['x-admin'], seen.headers['content-length']], ['hello', undefined, undefined]);
    client.destroy();
  });
  await attempt('HTTP/1.0 is answered once, and the connection ends', async () => {
    const client = wire(platform.url);
    client.send(`GET ${path}/old HTTP/1.0\r\nhost: ${host}\r\n\r\nGET ${path}/smuggled HTTP/1.0\r\nhost: ${host}\r\n\r\n`);
    assert.equal((await client.closed()).length, 1);
  });
  await attempt('bytes that are no UTF-8, and percents that encode nothing, come as they are or are refused', async () => {
    for (const target of [
      '/%ff%fe',
      '/%',
      '/%zz',
      '/%00',
      '/..%2f..%2fetc/passwd',
      '/%2e%2e/x',
      '//evil.example/x',
      '/a?%ff=%',
      '/a?__proto__=x&constructor=y',
    ]) {
      const client = wire(platform.url);
      client.send(`GET ${path}${target} HTTP/1.1\r\nhost: ${host}\r\nx-bytes: \xff\xfe\r\nconnection: close\r\n\r\n`);
      const [answer] = await client.closed();
      assert.equal(answer?.status, 200, client.text());
      const seen = JSON.parse(Buffer.from(answer.body, 'latin1').toString()) as Seen;
      assert.equal(seen.path, target.split('?')[0]);
      assert.equal(seen.headers['x-bytes'], '\xff\xfe');
    }
  });
  await attempt('headers that claim who or where somebody is are only headers', async () => {
    const client = wire(platform.url);
    const claims = [
      'x-forwarded-for: 10.0.0.1',
      'x-amzn-requestid: mine',
      'x-amz-user: root',
      '__proto__: x',
      'constructor: y',
      'x-amzn-trace-id: Root=1-"}\\',
    ];
    client.send(`GET ${path}/claims HTTP/1.1\r\nhost: ${host}\r\n${claims.join('\r\n')}\r\nconnection: close\r\n\r\n`);
    const [answer] = await client.closed();
    const seen = JSON.parse(answer!.body) as Seen;
    assert.equal(seen.headers['x-forwarded-for'], '10.0.0.1, 127.0.0.1');
    assert.ok(Object.hasOwn(seen.headers, '__proto__') && seen.headers['constructor'] === 'y');
    assert.ok(!/^x-amzn-requestid: mine/im.test(answer!.head));
  });
  await attempt('none of what was hidden in them reached the function', async () => {
    const text = await log();
    assert.ok(text.includes('/first') && !text.includes('smuggled'), text);
  });
});
