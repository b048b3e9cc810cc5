import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerOf, Fields, httpInterfaces, ResponseOutparam } from './component-http.ts';
import type { OutgoingBody } from './component-http.ts';
import { Refusal } from './component-streams.ts';

/** As the translated code sees it. */
type Resource = { headers(): Fields; body(): OutgoingBody } & Readonly<Record<string, (value?: unknown) => unknown>>;
type Types = {
  readonly [Name in 'OutgoingRequest' | 'OutgoingResponse']: new (headers: Fields) => Resource;
} & { readonly RequestOptions: new () => Resource };

const open = (taken: (bytes: number) => void = () => {}): Types => httpInterfaces(taken, () => {})['wasi:http/types'] as Types;

/** `set-x` of the interface is `setX` here. */
const setterOf = (name: string): string => `set${name[0]!.toUpperCase()}${name.slice(1)}`;

test('what a request and its options are made of is given back, and is nothing until it is set', () => {
  const { OutgoingRequest, RequestOptions } = open();
  const request = new OutgoingRequest(new Fields());
  assert.deepEqual(request['method']!(), { tag: 'get' });
  for (const [resource, name, value] of [
    [request, 'method', { tag: 'other', val: 'PURGE' }],
    [request, 'pathWithQuery', '/a?b=c'],
    [request, 'scheme', { tag: 'HTTPS' }],
    [request, 'authority', 'one.example'],
    [new RequestOptions(), 'connectTimeout', 1n],
    [new RequestOptions(), 'firstByteTimeout', 2n],
    [new RequestOptions(), 'betweenBytesTimeout', 3n],
  ] as const) {
    if (name !== 'method') assert.equal(resource[name]!(), undefined, name);
    resource[setterOf(name)]!(value);
    assert.deepEqual(resource[name]!(), value, name);
  }
  assert.equal(new OutgoingRequest(new Fields())['authority']!(), undefined, "one request's are no other's");
  assert.throws(() => request['setMethod']!({ tag: 'other', val: 'with space' }), Refusal);
  assert.deepEqual(request['method']!(), { tag: 'other', val: 'PURGE' });
});

test('of requests and responses the headers are fixed, the body is one, and each write to it is counted', () => {
  let written = 0;
  const types = open((bytes) => void (written += bytes));
  for (const name of ['OutgoingRequest', 'OutgoingResponse'] as const) {
    const message = new types[name](Fields.fromList([['x-own', Buffer.from('1')]]));
    assert.ok(message instanceof types[name]);
    assert.equal(message.headers().has('x-own'), true);
    assert.throws(() => message.headers().delete('x-own'), Refusal);
    message.body().write().write(Buffer.from('four'));
    assert.throws(() => message.body(), Refusal);
  }
  assert.equal(written, 8);
});

test('a response has a status that is one, and is the answer', () => {
  const { OutgoingResponse } = open();
  const response = new OutgoingResponse(new Fields());
  assert.equal(response['statusCode']!(), 200);
  for (const wrong of [99, 1_000]) assert.throws(() => response['setStatusCode']!(wrong), Refusal);
  response['setStatusCode']!(404);
  assert.equal(response['statusCode']!(), 404);
  const param = new ResponseOutparam();
  ResponseOutparam.set(param, { tag: 'ok', val: response as never });
  assert.deepEqual(answerOf(param), { status: 404, headers: [], parts: [] });
});
