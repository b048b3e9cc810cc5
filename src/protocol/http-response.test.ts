import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HTTP_INTEGRATION, decodePrelude, decodeUrlResponse } from './http-response.ts';

const decode = (value: unknown) => decodeUrlResponse(Buffer.from(JSON.stringify(value)));
const JSON_TYPE = ['content-type', 'application/json'];

test('a value without a status code is the body itself, as JSON with status 200', () => {
  for (const value of [{ message: 'hi' }, 'Hello, world!', [1], 7, null, true]) {
    assert.deepEqual(decode(value), { status: 200, headers: JSON_TYPE, body: JSON.stringify(value) });
  }
});

test('status, headers, cookies and body are taken over; the content type is JSON unless said otherwise', () => {
  assert.deepEqual(decode({ statusCode: 201, headers: { 'X-A': 1, 'Content-Type': 'text/html' }, cookies: ['a=1', 'b=2'], body: '<p>' }), {
    status: 201,
    headers: ['x-a', '1', 'content-type', 'text/html', 'set-cookie', 'a=1', 'set-cookie', 'b=2'],
    body: '<p>',
  });
  assert.deepEqual(decode({ statusCode: '204' }), { status: 204, headers: JSON_TYPE, body: '' });
  assert.deepEqual(decode({ statusCode: 200, body: { a: 1 } })?.body, '{"a":1}');
});

test('an empty content type stands for none', () => {
  assert.deepEqual(decode({ statusCode: 200, headers: { 'Content-Type': '', 'x-a': 'b' }, body: '' })?.headers, ['x-a', 'b']);
  assert.deepEqual(decodePrelude({ headers: { 'content-type': '' } }, 'text/plain')?.headers, []);
  assert.deepEqual(decodePrelude({}, '')?.headers, []);
});

test('base64 bodies come out as their bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const body = Buffer.from(bytes).toString('base64');
      assert.deepEqual(decode({ statusCode: 200, body, isBase64Encoded: true })?.body, Buffer.from(bytes));
    }),
  );
});

test('a function cannot touch the framing of the connection', () => {
  const headers = { 'Content-Length': '9', 'transfer-encoding': 'chunked', Connection: 'close', upgrade: 'x', trailer: 'y' };
  assert.deepEqual(decode({ statusCode: 200, headers, body: '' })?.headers, JSON_TYPE);
});

test('what cannot be an HTTP response is refused', () => {
  const bad = [
    { statusCode: 99 },
    { statusCode: 101 },
    { statusCode: 600 },
    { statusCode: 'x' },
    { statusCode: 200.5 },
    { statusCode: null },
    { statusCode: 200, headers: 'x' },
    { statusCode: 200, headers: { 'a b': 'c' } },
    { statusCode: 200, headers: { a: 'b\r\nSet-Cookie: x' } },
    { statusCode: 200, headers: { a: '€' } },
    { statusCode: 200, headers: { a: { toString: 1 } } },
    { statusCode: 200, headers: { a: [[{ toString: 1 }]] } },
    { statusCode: 200, cookies: 'a=1' },
    { statusCode: 200, cookies: ['a\n'] },
  ];
  for (const value of bad) assert.equal(decode(value), undefined, JSON.stringify(value));
  assert.equal(decodeUrlResponse(Buffer.from('{"statusCode":')), undefined);
});

test('a prelude without a status means 200, and without a content type the one of the stream', () => {
  for (const type of ['application/octet-stream', HTTP_INTEGRATION])
    assert.deepEqual(decodePrelude({}, type), { status: 200, headers: ['content-type', 'application/octet-stream'] });
  assert.equal(decodePrelude({ statusCode: 1 }, 'text/plain'), undefined);
});
