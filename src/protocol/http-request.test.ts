import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { duplexPair } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePlainRequest } from './http-request.ts';

const HEAD = 'GET /a/b?x=1&y=%20 HTTP/1.1\r\nHost: h.example\r\n';

test('a plain request is read as node:http reads it', () => {
  const text = `${HEAD}User-Agent:  curl/8 \t\r\nX-Amzn-Trace-Id: Root=1\r\nOrigin: o\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nhi`;
  const { head, ...request } = parsePlainRequest(text)!;
  assert.deepEqual(request, { method: 'GET', target: '/a/b?x=1&y=%20', bodyAt: text.length - 2 });
  assert.deepEqual(head, {
    block: text.slice(text.indexOf('Host'), -2),
    rawHeaders: [
      'Host',
      'h.example',
      'User-Agent',
      'curl/8',
      'X-Amzn-Trace-Id',
      'Root=1',
      'Origin',
      'o',
      'X-Empty',
      '',
      'Content-Length',
      '2',
    ],
    host: 'h.example',
    trace: 'Root=1',
    origin: true,
    bodyBytes: 2,
    repeated: false,
    form: undefined,
  });
  const short = `${HEAD}Content-Length: 20\r\n\r\nhi`;
  assert.deepEqual([parsePlainRequest(short)!.bodyAt, parsePlainRequest(short)!.head.bodyBytes], [short.length - 2, 20]);
});

test('the same headers once more are known by their bytes', () => {
  const first = parsePlainRequest(`${HEAD}X: y\r\n\r\n`)!.head;
  const again = parsePlainRequest(`POST /other HTTP/1.1\r\nHost: h.example\r\nX: y\r\n\r\n`, first)!;
  assert.equal(again.head, first);
  assert.equal(first.repeated, true);
  assert.deepEqual([again.method, again.target], ['POST', '/other']);
  for (const other of ['X: z', 'X: y\r\nZ: a', 'x: y']) {
    const { head } = parsePlainRequest(`${HEAD}${other}\r\n\r\n`, first)!;
    assert.notEqual(head, first, other);
    assert.equal(head.repeated, false);
  }
  // What comes after them still makes it more than one request.
  assert.equal(parsePlainRequest(`${HEAD}X: y\r\n\r\nG`, first), undefined);
});

const NOT_PLAIN: Readonly<Record<string, string>> = {
  'a head that is not whole': `${HEAD}X: y\r\n`,
  'half a header': `${HEAD}X: y`,
  'two requests': `${HEAD}\r\nGET / HTTP/1.1\r\n`,
  'a method whose answer has no body': `${HEAD.replace('GET', 'HEAD')}\r\n`,
  'an old version': `${HEAD.replace('1.1', '1.0')}\r\n`,
  'a whole URL': `${HEAD.replace('/a', 'http://h/a')}\r\n`,
  'a space in the path': `${HEAD.replace('/a', '/ a')}\r\n`,
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'two hosts': `${HEAD}host: h\r\n\r\n`,
  'two lengths': `${HEAD}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`,
  'a length that is no number': `${HEAD}Content-Length: +1\r\n\r\nx`,
  'a body in chunks': `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'another protocol from here on': `${HEAD}Connection: Upgrade\r\nUpgrade: x\r\n\r\n`,
  'a last request': `${HEAD}Connection: close\r\n\r\n`,
  'somebody who waits for 100 Continue': `${HEAD}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`,
  'a folded header': `${HEAD}X: y\r\n z\r\n\r\n`,
  'a space before the colon': `${HEAD}X : y\r\n\r\n`,
  'no name': `${HEAD}: y\r\n\r\n`,
  'no colon': `${HEAD}X\r\n\r\n`,
  'a bare newline': `${HEAD}X: y\nZ: a\r\n\r\n`,
  'a bare carriage return': `${HEAD}X: y\rZ: a\r\n\r\n`,
  'a null byte': `${HEAD}X: \0\r\n\r\n`,
  'an empty line before it': `\r\n${HEAD}\r\n`,
};

for (const [what, text] of Object.entries(NOT_PLAIN)) {
  test(`not plain: ${what}`, () => assert.equal(parsePlainRequest(text), undefined));
}

/** What node:http makes of the bytes: its requests, as far as they came whole, and whether it was content. */
async function byNode(bytes: Buffer) {
  const seen: { method: string; target: string; rawHeaders: string[]; body: string }[] = [];
  let content = true;
  const settled = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => undefined);
    response.end();
    if (body) seen.push({ method: request.method!, target: request.url!, rawHeaders: request.rawHeaders, body: body.toString('latin1') });
    settled.resolve();
  });
  server.on('clientError', () => {
    content = false;
    settled.resolve();
  });
  const [client, connection] = duplexPair();
  client.on('error', () => {}).resume();
  server.emit('connection', connection);
  connection.once('close', () => settled.resolve());
  client.write(bytes);
  await settled.promise;
  // Whatever follows the first request is there by now.
  await new Promise(setImmediate);
  connection.destroy();
  return { seen, content };
}

const harmless = fc.constantFrom(
  'Connection: keep-alive\r\n',
  'connection: Keep-Alive\r\n',
  'X-A: b\r\n',
  'X-A: \xe4\t c \r\n',
  'X-Empty:\r\n',
  'Cookie: a=b; c\r\n',
  'User-Agent: x/1 (y; "z")\r\n',
);
const harmful = fc.constantFrom(
  'GET / HTTP/1.1\r\n',
  'Host: h\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: 03\r\n',
  'Content-Length: 3, 3\r\n',
  'X-Amzn-Trace-Id: t\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Expect: 100-continue\r\n',
  '\r\n',
  '\n',
  '\r',
  ' ',
  ':',
  'abc',
  '\0',
  '#',
  '\x7f',
);
const piece = fc.oneof({ weight: 8, arbitrary: harmless }, { weight: 1, arbitrary: harmful });
/** Mostly requests, with something in them here and there. */
const requests = fc
  .record({
    line: fc.constantFrom('GET / HTTP/1.1\r\n', 'POST /p?q=%41 HTTP/1.1\r\n', 'DELETE /[x]{y} HTTP/1.1\r\n', 'PUT /a;b@c HTTP/1.1\r\n'),
    headers: fc.array(piece, { maxLength: 5 }),
    length: fc.constantFrom('', 'Content-Length: 3\r\n', 'content-length:  03 \r\n'),
    body: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom('', 'ab', 'abcd') }),
    cut: fc.option(fc.record({ at: fc.nat(200), by: fc.oneof(piece, fc.string({ maxLength: 2 })) }), { nil: undefined, freq: 1 }),
  })
  .map(({ line, headers, length, body, cut }) => {
    const text = `${line}Host: h\r\n${headers.join('')}${length}\r\n${body ?? (length === '' ? '' : 'abc')}`;
    return cut ? text.slice(0, cut.at) + cut.by + text.slice(cut.at) : text;
  });

test('whatever is taken as plain is one request for node:http, too, and the same', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(requests, async (text) => {
      const bytes = Buffer.from(text, 'latin1');
      const plain = parsePlainRequest(bytes.toString('latin1'));
      if (!plain || bytes.length !== plain.bodyAt + plain.head.bodyBytes) return;
      taken++;
      const { method, target } = plain;
      const { rawHeaders } = plain.head;
      assert.deepEqual(await byNode(bytes), {
        seen: [{ method, target, rawHeaders, body: bytes.toString('latin1', plain.bodyAt) }],
        content: true,
      });
    }),
    { numRuns: 3_000 },
  );
  assert.ok(taken > 100, `only ${taken} were plain`);
});
