import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf, Fields, IncomingRequest, NoAnswer, ResponseOutparam } from './component-http.ts';
import { InputStream, OutputStream, Refusal } from './component-streams.ts';
import { eventAnswer, requestOf } from './http-event.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const eventOf = (fields: object): Uint8Array =>
  bytes(JSON.stringify({ rawPath: '/', requestContext: { http: { method: 'GET' } }, ...fields }));
const refuses = (act: () => unknown, payload: unknown): void =>
  assert.throws(act, (error) => error instanceof Refusal && (assert.deepEqual(error.payload, payload), true));

test('an event becomes a request: its query, its cookies, its host, and a body of text or of bytes', () => {
  const { headers, body, ...rest } = requestOf(
    eventOf({
      rawPath: '/a%20b',
      rawQueryString: 'x=1&y=%2F',
      headers: { Host: 'one.example', cookie: 'old=1', accept: 'text/plain' },
      cookies: ['a=1', 'b=2'],
      body: '/wA=',
      isBase64Encoded: true,
    }),
  );
  assert.deepEqual(rest, { method: 'GET', path: '/a%20b?x=1&y=%2F', authority: 'one.example' });
  assert.deepEqual(
    headers.map(([name, value]) => [name, Buffer.from(value).toString()]),
    [
      ['Host', 'one.example'],
      ['accept', 'text/plain'],
      ['cookie', 'a=1; b=2'],
    ],
  );
  assert.deepEqual([...body], [255, 0]);
  const bare = requestOf(eventOf({ requestContext: { domainName: 'two.example', http: { method: 'PURGE' } }, body: null, cookies: 'a=1' }));
  assert.deepEqual([bare.path, bare.authority, bare.headers, bare.body.length], ['/', 'two.example', [], 0]);
  assert.deepEqual(new IncomingRequest(bare).method(), { tag: 'other', val: 'PURGE' });
  assert.deepEqual(new IncomingRequest(requestOf(eventOf({}))).method(), { tag: 'get' });
  for (const wrong of ['', 'text', 'null', '[]', '{"rawPath":"/"}'])
    assert.throws(() => requestOf(bytes(wrong)), { name: 'Wasm.InvalidEvent' }, wrong);
});

test('a response becomes an answer: headers of one name are joined, cookies are not', () => {
  const headers = [
    ['Vary', bytes('a')],
    ['vary', bytes('b')],
    ['Set-Cookie', bytes('x=1')],
    ['set-cookie', bytes('y=2, z')],
  ] as const;
  const answer = JSON.parse(Buffer.from(eventAnswer({ status: 203, headers, parts: [bytes('grü'), bytes('ße')] })).toString()) as unknown;
  assert.deepEqual(answer, {
    statusCode: 203,
    headers: { vary: 'a, b' },
    cookies: ['x=1', 'y=2, z'],
    body: 'grüße',
    isBase64Encoded: false,
  });
});

test('header fields are checked, found in any case, and unchanging where they are no longer the own', () => {
  const fields = Fields.fromList([['X-Own', bytes('1')]]);
  fields.append('x-own', bytes('2'));
  assert.deepEqual(
    fields.get('X-OWN').map((value) => Buffer.from(value).toString()),
    ['1', '2'],
  );
  fields.set('x-OWN', [bytes('3')]);
  assert.deepEqual([fields.entries().length, fields.has('x-own')], [1, true]);
  refuses(() => fields.append('with space', bytes('')), { tag: 'invalid-syntax' });
  refuses(() => fields.append('x', bytes('a\r\nb: c')), { tag: 'invalid-syntax' });
  refuses(() => fields.append('Transfer-Encoding', bytes('chunked')), { tag: 'forbidden' });
  refuses(() => fields.frozen().delete('x-own'), { tag: 'immutable' });
  const copy = fields.frozen().clone();
  copy.delete('x-own');
  assert.deepEqual([copy.has('x-own'), fields.has('x-own')], [false, true]);
});

test('streams are read to their end, and closed ones take nothing; what is not answered is no answer', () => {
  const input = new InputStream(bytes('abc'));
  assert.equal(Buffer.from(input.read(2n)).toString(), 'ab');
  assert.equal(input.read(0n).length, 0);
  assert.equal(input.skip(10n), 1n);
  refuses(() => input.blockingRead(1n), { tag: 'closed' });
  const taken: string[] = [];
  const output = new OutputStream((part) => taken.push(Buffer.from(part).toString()));
  output.blockingWriteAndFlush(bytes('x'));
  assert.equal(output.splice(new InputStream(bytes('yz')), 1n), 1n);
  output.writeZeroes(2n);
  output.end();
  refuses(() => output.write(bytes('z')), { tag: 'closed' });
  refuses(() => output.checkWrite(), { tag: 'closed' });
  assert.deepEqual(taken, ['x', 'y', '\0\0']);
  assert.throws(() => answerOf(new ResponseOutparam()), NoAnswer);
});
