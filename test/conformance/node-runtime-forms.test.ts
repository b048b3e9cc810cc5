import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventForm, FormEvent } from '../../src/protocol/mod.ts';
import type { Blank, BodyKind } from '../../src/protocol/mod.ts';
import { run } from './node-function.ts';

const ECHO = { 'index.mjs': 'export const handler = async (event) => event;' };
const BLANKS: readonly Blank[] = [
  { path: ['path'], as: 'text' },
  { path: ['a', 'b', 'time'], as: 'number' },
  { path: ['query'], as: 'json' },
];
const form = (body: BodyKind, blanks = BLANKS) =>
  new EventForm('{"path":"","a":{"b":{"time":0,"list":[1,{"x":2}]},"same":"é"},"query":null,"body":""}', blanks, body);
const texts = '/p\xe4\n12.5\n{"q":"1"}\n';

test('a form that is filled in is the event that it says it is', async (t) => {
  const { invoke } = await run(t, { files: ECHO });
  for (const [kind, body] of [
    ['none', undefined],
    ['text', Buffer.from('grüße\n')],
    ['base64', Buffer.from([0xff, 0, 10])],
  ] as const) {
    const event = new FormEvent(form(kind), texts, body);
    const { value, error } = await invoke(event);
    assert.equal(error, undefined);
    // The order of the keys counts, too: functions print events.
    assert.equal(JSON.stringify(value), event.toJson());
  }
});

test('what a function does to an event is not in the next one of the same form', async (t) => {
  const spoils = `export const handler = async (event) => {
    const seen = JSON.stringify(event);
    event.a.b.list.push('more'); event.a.b.list[1].x = 'other'; event.a.same = 'changed'; event.path = ''; delete event.query; event.new = 1;
    return seen;
  };`;
  const { invoke } = await run(t, { files: { 'index.mjs': spoils } });
  const event = new FormEvent(form('none'), texts, undefined);
  for (let i = 0; i < 3; i++) assert.equal((await invoke(event)).value, event.toJson());
});

test('request id, deadline, ARN and trace come with it', async (t) => {
  const tells = `export const handler = async (event, context) => [
    context.awsRequestId, context.invokedFunctionArn, context.getRemainingTimeInMillis() > 1000, process.env._X_AMZN_TRACE_ID ?? null];`;
  const { invoke } = await run(t, { files: { 'index.mjs': tells } });
  const event = new FormEvent(form('none'), texts, undefined);
  assert.deepEqual((await invoke(event, { id: 'one', arn: 'arn', trace: 'Root=1' })).value, ['one', 'arn', true, 'Root=1']);
  assert.deepEqual((await invoke(event, { id: 'two', arn: 'arn' })).value, ['two', 'arn', true, null]);
  // What has no place in a form goes with the event as JSON.
  assert.deepEqual((await invoke(event, { id: 'three', arn: 'arn', clientContext: '{}' })).value, ['three', 'arn', true, null]);
});

test('more forms than an instance keeps are read all the same', async (t) => {
  const { invoke } = await run(t, { files: ECHO });
  const events = Array.from({ length: 300 }, (_, i) => new FormEvent(form('none', [{ path: ['path'], as: 'text' }]), `/${i}\n`, undefined));
  for (const event of [...events, ...events.slice(0, 3)]) assert.equal(JSON.stringify((await invoke(event)).value), event.toJson());
});

test('a function that has replaced what strings and maps can do gets its events', async (t) => {
  const spoiled = `String.prototype.slice = String.prototype.indexOf = Map.prototype.get = Map.prototype.set = () => { throw new Error('mine'); };
    Object.keys = Array.isArray = JSON.parse = () => { throw new Error('mine'); }; Array.prototype[Symbol.iterator] = undefined;
    export const handler = async (event) => event;`;
  const { invoke } = await run(t, { files: { 'index.mjs': spoiled } });
  const event = new FormEvent(form('text'), texts, Buffer.from('body'));
  for (let i = 0; i < 2; i++) assert.equal(JSON.stringify((await invoke(event)).value), event.toJson());
});
