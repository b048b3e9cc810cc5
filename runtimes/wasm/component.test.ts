import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { translateComponents } from '../../src/adapters/packages/component.ts';
import { temporaryDirectory } from '../../test/temporary.ts';
import { commandComponent, httpComponent, missingTranslator } from './component.testing.ts';
import { NO_GRANTS } from './grants.ts';
import { loadWasm } from './handler.ts';
import type { LoadOptions } from './handler.ts';

const skip = missingTranslator();
const MiB = 1024 * 1024;

type Tried = { readonly call: (event: unknown) => unknown; readonly log: () => string };

/** What a host does with a component that is uploaded. */
async function packaged(t: TestContext, component: Uint8Array): Promise<string> {
  const taskRoot = temporaryDirectory(t);
  writeFileSync(join(taskRoot, 'module.wasm'), component);
  await translateComponents(taskRoot, true);
  return taskRoot;
}

async function load(taskRoot: string, options: Partial<LoadOptions> = {}): Promise<Tried> {
  let logged = '';
  const log = (part: Uint8Array) => (logged += Buffer.from(part).toString('utf8'));
  const base = { taskRoot, handler: 'any', environment: {}, grants: NO_GRANTS, memoryBytes: 8 * MiB, log };
  const { invoke, reset } = await loadWasm({ ...base, ...options });
  return {
    call(event) {
      try {
        return JSON.parse(Buffer.from(invoke(Buffer.from(JSON.stringify(event)))).toString('utf8')) as unknown;
      } finally {
        reset();
      }
    },
    log: () => logged,
  };
}

const request = (rawPath: string, body?: string | Buffer) => ({
  version: '2.0',
  rawPath,
  rawQueryString: '',
  headers: { host: 'here.example' },
  requestContext: { http: { method: 'POST' } },
  ...(body !== undefined && {
    body: body.toString(typeof body === 'string' ? 'utf8' : 'base64'),
    isBase64Encoded: typeof body !== 'string',
  }),
});

test(
  'a component answers HTTP events, each in an instance of its own, and what it does wrong is an error with its reason',
  { skip },
  async (t) => {
    const { call, log } = await load(await packaged(t, await httpComponent()));
    const answer = { statusCode: 201, headers: {}, body: 'grüße', isBase64Encoded: false };
    for (let i = 0; i < 3; i++) assert.deepEqual(call(request('/e', 'grüße')), answer);
    assert.deepEqual(call(request('/e', Buffer.from([0xff, 0]))), { ...answer, body: '/wA=', isBase64Encoded: true });
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ['/t', 'Wasm.Trap', /unreachable/],
      ['/n', 'Wasm.InvalidAnswer', /set no response/],
      ['/f', 'Wasm.InvalidAnswer', /the error internal-error$/],
      ['/u', 'Wasm.InvalidAnswer', /did not finish/],
      ['/b', 'Function.ResponseSizeTooLarge', /6291556 bytes/],
      ['/r', 'Wasm.NotGranted', /random numbers, which it is not granted/],
    ];
    for (const [path, name, message] of wrong) assert.throws(() => call(request(path)), { name, message }, path);
    assert.throws(() => call({ no: 'request' }), { name: 'Wasm.InvalidEvent' });
    assert.throws(() => call(null), { name: 'Wasm.InvalidEvent' });
    assert.throws(() => call({ ...request('/e'), body: 1 }), { name: 'Wasm.InvalidEvent' });
    assert.equal((call(request('/o')) as { statusCode: number }).statusCode, 201, 'it is refused, and sees that');
    assert.equal((call(request('/m')) as { statusCode: number }).statusCode, 201, 'its memory ends at 8 MiB');
    assert.match(log(), /asked for random and is granted none.*\n.*asked for outgoing HTTP and is granted none/);
  },
);

test('a component has random numbers where they are granted, and no grants that are for core modules', { skip }, async (t) => {
  const taskRoot = await packaged(t, await httpComponent());
  const { call } = await load(taskRoot, { grants: { ...NO_GRANTS, random: true } });
  assert.equal((call(request('/r')) as { statusCode: number }).statusCode, 201);
  const failing = (options: Partial<LoadOptions>, name: string) => assert.rejects(load(taskRoot, options), { name });
  await failing({ grants: { ...NO_GRANTS, keep: true } }, 'Runtime.InvalidGrant');
  await failing({ grants: { ...NO_GRANTS, directories: [{ host: '/tmp', guest: '/tmp', writable: false }] } }, 'Runtime.InvalidGrant');
  await failing({ handler: 'module.wasm:handle' }, 'Runtime.HandlerNotFound');
  await failing({ memoryBytes: 65_536 }, 'Runtime.OutOfMemory');
});

test('a component that is a command finds the event on standard input, and what it writes is the answer', { skip }, async (t) => {
  const { call } = await load(await packaged(t, await commandComponent()));
  for (let i = 0; i < 2; i++) assert.deepEqual(call({ a: [1] }), { a: [1] });
  assert.throws(() => call(1), { name: 'Wasm.Exit', message: 'The component ended as a failure' });
});

test('what lies beside a component and was not made by the host is not run', { skip }, async (t) => {
  const taskRoot = await packaged(t, await commandComponent());
  writeFileSync(join(taskRoot, 'other.wasm'), await commandComponent());
  mkdirSync(join(taskRoot, 'other.wasm.translated'));
  writeFileSync(join(taskRoot, 'other.wasm.translated', 'component.js'), 'process.exit(3);');
  await assert.rejects(load(taskRoot, { handler: 'other.wasm' }), { name: 'Runtime.InvalidModule', message: /was not translated/ });
  rmSync(join(taskRoot, 'module.wasm.translated'), { recursive: true });
  await assert.rejects(load(taskRoot, { handler: 'module.wasm' }), { name: 'Runtime.InvalidModule', message: /was not translated/ });
});
