/** Input that is wrong, broken or too large: Lambda's error each time, and a platform that is as it was. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { CreateFunctionCommand, InvokeCommand, ListFunctionsCommand, UpdateFunctionCodeCommand } from '@aws-sdk/client-lambda';
import { EVIL } from '../../src/adapters/packages/evil-zips.testing.ts';
import { zipBytes } from '../../src/adapters/packages/zip-bytes.testing.ts';
import { LIMITS } from '../../src/kernel/mod.ts';
import { footprint } from './footprint.ts';
import { configurationOf, eventually, functionOf, startIsolated, zipOf } from './platform.ts';
import type { Isolated } from './platform.ts';

const ECHO = `export const handler = async (event) => event;`;

test('bad packages, settings and names', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { client } = isolated;
  await isolated.create('good', ECHO);
  // Whether it is forked is told of it only when its init has run.
  await isolated.invoke('good');
  const before = await stateOf(isolated);
  const create = (changes: object) => client.send(new CreateFunctionCommand({ ...functionOf('bad', zipOf(ECHO)), ...changes }));
  const invalid = (message: RegExp) => ({ name: 'InvalidParameterValueException', message });
  const unchanged = async () => {
    await eventually(async () => assert.deepEqual(await stateOf(isolated), before));
    assert.deepEqual((await isolated.invoke('good', { a: 1 })).value, { a: 1 });
  };

  for (const [what, parts] of EVIL) {
    await t.test(`a package with ${what}`, async () => {
      const zip = zipBytes([{ name: 'index.mjs', content: ECHO }, ...parts]);
      const refusal = invalid(/^Could not unzip uploaded file\. Please check your file, then try to upload again\./);
      await assert.rejects(create({ Code: { ZipFile: zip } }), refusal);
      await assert.rejects(client.send(new UpdateFunctionCodeCommand({ FunctionName: 'good', ZipFile: zip })), refusal);
    });
  }
  await t.test('packages that are none, hold nothing, or too much', async () => {
    await assert.rejects(create({ Code: { ZipFile: Buffer.from('#!/bin/sh') } }), invalid(/^Could not unzip/));
    await assert.rejects(create({ Code: { ZipFile: zipBytes([]) } }), invalid(/^Uploaded file must be a non-empty zip$/));
    await assert.rejects(create({ Code: { ZipFile: zipOf(ECHO).subarray(0, 40) } }), invalid(/^Could not unzip/));
    const bomb = Array.from({ length: 6 }, (_, i) => ({ name: `${i}`, content: Buffer.alloc(45 * 1024 * 1024) }));
    await assert.rejects(create({ Code: { ZipFile: zipBytes(bomb) } }), invalid(/^Unzipped size must be smaller than 262144000 bytes$/));
    const large = Buffer.alloc(LIMITS.zipBytes + 1, 1);
    await assert.rejects(create({ Code: { ZipFile: large } }), invalid(/larger than 52428800 bytes/));
  });
  await t.test('settings that cannot be', async () => {
    await assert.rejects(create({ Runtime: 'cobol' }), invalid(/^Value cobol at 'runtime' failed to satisfy constraint/));
    // {"BIG":"..."} takes ten bytes beside the value.
    const variables = (bytes: number) => ({ Environment: { Variables: { BIG: 'x'.repeat(bytes - 10) } } });
    await assert.rejects(create(variables(LIMITS.environmentBytes + 1)), invalid(/exceeded the 4KB limit/));
    await assert.rejects(create({ Timeout: 0 }), { name: 'ValidationException' });
    await assert.rejects(create({ MemorySize: 1e9 }), { name: 'ValidationException' });
    await assert.rejects(create({ Handler: 'a b' }), { name: 'ValidationException' });
    for (const name of ['', '../etc', 'a/b', 'x'.repeat(300), 'é', 'a\0b']) await assert.rejects(create({ FunctionName: name }), name);
  });
  await t.test('many who make the same function: one of them does', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 16 }, (_, i) => isolated.create('contested', `export const handler = async () => ${i};`)),
    );
    const winners = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
    assert.equal(winners.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal((outcome.reason as Error).name, 'ResourceConflictException');
    }
    assert.equal((await isolated.invoke('contested')).value, winners[0]);
    await isolated.remove('contested');
  });
  await t.test('the platform is as it was', unchanged);
  await t.test('what is just within the limits is taken', async () => {
    await create({ Environment: { Variables: { BIG: 'x'.repeat(LIMITS.environmentBytes - 10) } } });
    assert.deepEqual((await isolated.invoke('bad', [])).value, []);
    await isolated.remove('bad');
  });
});

const at = (type: string, message: RegExp) => ({ type, message });
type Broken = { readonly what: string; readonly source: string; readonly settings?: object; readonly error: ReturnType<typeof at> };
const BROKEN: readonly Broken[] = [
  {
    what: 'a handler without a dot',
    source: ECHO,
    settings: { Handler: 'handler' },
    error: at('Runtime.MalformedHandlerName', /^Bad handler/),
  },
  {
    what: 'a handler that climbs',
    source: ECHO,
    settings: { Handler: '../x.handler' },
    error: at('Runtime.MalformedHandlerName', /not a valid handler name/),
  },
  {
    what: 'a handler that is not exported',
    source: ECHO,
    settings: { Handler: 'index.nobody' },
    error: at('Runtime.HandlerNotFound', /^index\.nobody is undefined or not exported$/),
  },
  {
    what: 'a handler that is no function',
    source: 'export const handler = 1;',
    error: at('Runtime.HandlerNotFound', /^index\.handler is not a function$/),
  },
  {
    what: 'a file that is not there',
    source: ECHO,
    settings: { Handler: 'nothing.handler' },
    error: at('Runtime.ImportModuleError', /^Error: Cannot find module 'nothing'/),
  },
  { what: 'a syntax error', source: 'export const handler = async (=> 1;', error: at('Runtime.UserCodeSyntaxError', /^SyntaxError: /) },
  {
    what: 'a missing module',
    source: `import 'not-there'; ${ECHO}`,
    error: at('Runtime.ImportModuleError', /^Error: Cannot find (package|module) 'not-there'/),
  },
  { what: 'an init that throws', source: `throw new RangeError('no init');`, error: at('RangeError', /^no init$/) },
  { what: 'an init that throws nothing', source: `throw undefined;`, error: at('string', /^handled$/) },
  { what: 'an init that exits', source: `process.exit(7);`, error: at('Runtime.ExitError', /Runtime exited with error: exit status 7$/) },
  {
    what: 'an init that is killed',
    source: `process.kill(process.pid, 'SIGKILL');`,
    error: at('Runtime.ExitError', /Runtime exited with error: signal: killed$/),
  },
  {
    what: 'an init that crashes',
    source: `process.abort();`,
    error: at('Runtime.ExitError', /Runtime exited with error: signal: aborted$/),
  },
  { what: 'an init that never settles', source: `await new Promise(() => {}); ${ECHO}`, error: at('Runtime.NodeJsExit', /never settled/) },
  {
    what: 'an init that waits',
    source: `await new Promise((resolve) => setTimeout(resolve, 60_000)); ${ECHO}`,
    error: at('Sandbox.Timedout', /Init timed out after 10\.00 seconds$/),
  },
  { what: 'an init that spins', source: `for (;;);`, error: at('Sandbox.Timedout', /Init timed out after 10\.00 seconds$/) },
  {
    what: 'an init that hoards',
    source: `const numbers = Array.from({ length: 100_000 }, (_, i) => i + 0.5); for (const hoard = []; ;) hoard.push(numbers.slice());`,
    error: at('Runtime.OutOfMemory', /signal: killed$/),
  },
];

test('functions that cannot be started', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const check = async ({ what, source, settings, error }: Broken, index: number) => {
    const name = `broken-${index}`;
    await isolated.create(name, source, { Timeout: 30, ...settings });
    const answer = await isolated.invoke(name);
    assert.equal(answer.error?.errorType, error.type, `${what}: ${JSON.stringify(answer)}`);
    assert.match(answer.error.errorMessage, error.message, what);
    assert.match(answer.log, /REPORT RequestId/);
    // With the fault repaired it answers.
    if (settings === undefined) {
      await isolated.update(name, ECHO);
      assert.deepEqual((await isolated.invoke(name, { repaired: true })).value, { repaired: true });
    }
    await isolated.remove(name);
  };
  await Promise.all(BROKEN.map(check));
  await isolated.healthy();
  await eventually(() => assert.deepEqual(footprint(isolated.platform).blobs, []));
});

test('bad requests', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { client, platform } = isolated;
  await isolated.create('echo', ECHO, { MemorySize: 512, Timeout: 30 });
  await isolated.create('measure', `export const handler = async (event) => ({ length: event.body?.length ?? event.length });`, {
    MemorySize: 512,
  });
  const invocations = `${platform.url}/2015-03-31/functions/echo/invocations`;
  const post = async (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
    const response = await fetch(invocations, { method: 'POST', body, headers });
    return { status: response.status, type: response.headers.get('x-amzn-errortype'), body: await response.text() };
  };
  const badJson = (reason: RegExp, { status, type, body }: Awaited<ReturnType<typeof post>>) => {
    assert.deepEqual([status, type], [400, 'InvalidRequestContentException']);
    assert.match((JSON.parse(body) as { message: string }).message, reason);
  };

  await t.test('payloads that are no JSON', async () => {
    for (const body of ['{', 'undefined', "{'a':1}", '[1,]', '\u0000', '{"a":1}}'])
      badJson(/^Could not parse request body into json: /, await post(body));
    badJson(/Invalid UTF-8/, await post(Uint8Array.of(0x22, 0xff, 0xfe, 0x22)));
    badJson(/nesting depth/, await post(`${'['.repeat(3_000_000)}${']'.repeat(3_000_000)}`));
    badJson(/Client context/, await post('{}', { 'x-amz-client-context': '%%%' }));
  });
  await t.test('payloads of the limit, and of a byte more', async () => {
    const payload = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2));
    const send = (bytes: number) => client.send(new InvokeCommand({ FunctionName: 'measure', Payload: payload(bytes) }));
    const { Payload, FunctionError } = await send(LIMITS.payloadBytes);
    assert.deepEqual([FunctionError, Payload!.transformToString()], [undefined, `{"length":${LIMITS.payloadBytes - 2}}`]);
    const message = `Request must be smaller than ${LIMITS.payloadBytes} bytes for the InvokeFunction operation`;
    await assert.rejects(send(LIMITS.payloadBytes + 1), { name: 'RequestTooLargeException', message });
    const url = await isolated.url('measure');
    const tooLarge = await fetch(url, { method: 'POST', body: 'x'.repeat(LIMITS.payloadBytes + 1) });
    assert.equal(tooLarge.status, 413);
  });
  await t.test('functions and versions that are not there', async () => {
    for (const name of ['nobody', 'echo:7', 'echo:none', 'arn:aws:lambda:us-east-1:000000000000:function:nobody'])
      await assert.rejects(client.send(new InvokeCommand({ FunctionName: name })), { name: 'ResourceNotFoundException' });
    for (const name of ['a b', '../x', 'x'.repeat(500)])
      await assert.rejects(client.send(new InvokeCommand({ FunctionName: name })), { name: 'ValidationException' });
    assert.equal((await fetch(`${platform.url}/_url/${'a'.repeat(32)}/`)).status, 404);
  });
  await t.test('headers over the limit, at the API and at a URL', async () => {
    const headers = { 'x-large': 'x'.repeat(LIMITS.http.headerBytes + 1) };
    const url = await isolated.url('echo');
    for (const target of [invocations, url]) assert.equal((await fetch(target, { headers })).status, 431);
    const many = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`x-${i}`, 'y']));
    assert.ok((await fetch(url, { headers: many })).status < 500);
  });
  await t.test('what is no HTTP', async () => {
    const garbage = [
      'hello\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      'POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n',
      '\u0016\u0003\u0001',
      'GET /\u0000 HTTP/1.1\r\nhost: x\r\n\r\n',
      'POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ];
    for (const bytes of garbage) assert.match(await rawAnswer(platform.url, bytes), /^(HTTP\/1\.1 4\d\d |$)/, JSON.stringify(bytes));
  });
  await t.test('clients that go away in the middle', async () => {
    const { hostname, port } = new URL(platform.url);
    for (let i = 0; i < 20; i++) {
      const socket = connect(Number(port), hostname);
      socket.write(`POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: 1000\r\n\r\n{"half":`);
      await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
    }
  });
  await isolated.healthy();
  assert.deepEqual((await isolated.invoke('echo', { still: 'here' })).value, { still: 'here' });
});

/** All that an operation could have changed. */
async function stateOf(isolated: Isolated): Promise<object> {
  const { Functions } = await isolated.client.send(new ListFunctionsCommand());
  const names = Functions!.map(({ FunctionName }) => FunctionName!);
  const { packages, blobs, run, mounts } = footprint(isolated.platform);
  return { functions: await Promise.all(names.map((name) => configurationOf(isolated, name))), packages, blobs, run, mounts };
}

async function rawAnswer(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.end(bytes);
  return await text(socket);
}
