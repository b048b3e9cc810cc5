import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { systemClock } from '../../kernel/mod.ts';
import type { InvocationEnd, InvocationListener } from '../../ports/mod.ts';
import type { StreamHead } from '../../protocol/mod.ts';
import { ProgramInstance, listenForProcesses } from './mod.ts';

const ID = '8a2b1c3d-0000-4000-8000-000000000000';
const HEAD = { id: ID, deadlineMs: 1_700_000_003_000, arn: 'arn:aws:lambda:us-east-1:000000000000:function:f' };
const NEXT = 'runtime/invocation/next';

type Said = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string };

/** An instance without a process: the test is its runtime. */
async function open(t: TestContext) {
  const ends: boolean[] = [];
  const idle: boolean[] = [];
  let flushes = 0;
  const instance = new ProgramInstance({
    start: 'boot',
    clock: systemClock,
    memoryKiB: () => 2048,
    flush: () => flushes++,
    idle: (is) => idle.push(is),
    end: (wanted) => ends.push(wanted),
  });
  const listening = await listenForProcesses((asked, answer) => instance.handle(asked, answer));
  const { close } = listening;
  const address = `${listening.address}:${listening.port}`;
  const agent = new Agent({ keepAlive: true });
  closeAfter(t, () => {
    agent.destroy();
    close();
  });
  const call = (method: string, path: string, body: string | Buffer = '', headers: OutgoingHttpHeaders = {}): Promise<Said> =>
    new Promise((resolve, reject) => {
      const asked = request(`http://${address}/2018-06-01/${path}`, { method, agent, headers }, (answer) => {
        buffer(answer).then((bytes) => resolve({ status: answer.statusCode!, headers: answer.headers, body: bytes.toString() }), reject);
      });
      asked.on('error', reject);
      asked.end(body);
    });
  return { instance, address, agent, call, ends, idle, flushes: () => flushes };
}

type Heard = { readonly head?: StreamHead; readonly chunks: string; readonly end: InvocationEnd };

function invoke(instance: ProgramInstance, event = '{"a":1}', more: object = {}): Promise<Heard> {
  return new Promise((resolve) => {
    let head: StreamHead | undefined;
    let chunks = '';
    const listener: InvocationListener = {
      log() {},
      streamHead: (told) => (head = told),
      streamChunk: (chunk) => (chunks += chunk.toString()),
      end: (end) =>
        resolve({ ...(head && { head }), chunks, end: end.kind === 'answered' ? { ...end, payload: Buffer.from(end.payload) } : end }),
    };
    instance.invoke({ ...HEAD, ...more }, event, listener);
  });
}

const errorOf = ({ status, body }: Said): unknown => [status, (JSON.parse(body) as { errorType: string }).errorType];

test('a runtime asks, gets an event with all headers, and answers', async (t) => {
  const { instance, call, idle, flushes } = await open(t);
  const next = call('GET', NEXT);
  assert.deepEqual(await instance.initialised, { kind: 'ready' });
  assert.deepEqual([idle, instance.oldest], [[true], undefined]);
  const heard = invoke(instance, '{"grüße":1}', {
    trace: 'Root=1',
    clientContext: '{"client":{"name":"gr\u00fc\u{1f600}\\n"}}',
    identity: '{"id":"x"}',
  });
  const given = await next;
  assert.deepEqual([given.status, given.body], [200, '{"grüße":1}']);
  assert.deepEqual(
    Object.fromEntries(Object.entries(given.headers).filter(([name]) => name.startsWith('lambda-') || name === 'content-type')),
    {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': ID,
      'lambda-runtime-deadline-ms': '1700000003000',
      'lambda-runtime-invoked-function-arn': HEAD.arn,
      'lambda-runtime-trace-id': 'Root=1',
      'lambda-runtime-client-context': '{"client":{"name":"gr\\u00fc\\ud83d\\ude00\\n"}}',
      'lambda-runtime-cognito-identity': '{"id":"x"}',
    },
  );
  assert.equal(idle.at(-1), false);
  const before = flushes();
  const posted = await call('POST', `runtime/invocation/${ID}/response`, '{"b":2}');
  assert.deepEqual([posted.status, posted.body], [202, '{"status":"OK"}']);
  assert.deepEqual((await heard).end, { kind: 'answered', payload: Buffer.from('{"b":2}'), memoryKiB: 2048 });
  assert.ok(flushes() > before, 'what it wrote is in the log before its answer');
});

test('an event that comes before the runtime asks waits for it', async (t) => {
  const { instance, call, idle } = await open(t);
  const heard = invoke(instance);
  assert.equal((await call('GET', NEXT)).body, '{"a":1}');
  await call('POST', `runtime/invocation/${ID}/response`, '1');
  assert.equal((await heard).end.kind, 'answered');
  assert.ok(!idle.includes(true), 'it never waited');
});

test('errors keep their type, their stack and their whole body', async (t) => {
  const { instance, call } = await open(t);
  const fail = async (body: string, headers: OutgoingHttpHeaders = {}) => {
    const heard = invoke(instance);
    await call('GET', NEXT);
    assert.equal((await call('POST', `runtime/invocation/${ID}/error`, body, headers)).status, 202);
    const { end } = await heard;
    assert.ok(end.kind === 'failed', JSON.stringify(end));
    return end.error;
  };
  const body = '{"errorMessage":"no","errorType":"Bad","stackTrace":["a","b"],"cause":{"errorType":"Deeper"}}';
  assert.deepEqual(await fail(body), { errorMessage: 'no', errorType: 'Bad', stackTrace: ['a', 'b'], body });
  const header = { 'Lambda-Runtime-Function-Error-Type': 'Runtime.NoSuch' };
  assert.deepEqual(await fail('not JSON', header), { errorType: 'Runtime.NoSuch', errorMessage: '' });
  assert.deepEqual(await fail(''), { errorType: 'Runtime.Unknown', errorMessage: '' });
});

test('init that fails is told, and nothing can be asked for after it', async (t) => {
  const { instance, call } = await open(t);
  const headers = { 'Lambda-Runtime-Function-Error-Type': 'Runtime.BadConfig' };
  assert.equal((await call('POST', 'runtime/init/error', '{"errorMessage":"no config","errorType":"Config"}', headers)).status, 202);
  const init = await instance.initialised;
  assert.ok(init.kind === 'failed');
  assert.deepEqual([init.error.errorType, init.error.errorMessage], ['Config', 'no config']);
  assert.deepEqual(errorOf(await call('GET', NEXT)), [403, 'InvalidStateTransition']);
  assert.deepEqual(errorOf(await call('POST', 'runtime/init/error', '{}')), [403, 'InvalidStateTransition']);
});

test('a runtime that takes part in snapshots is told at once that it was restored, and may say that this failed', async (t) => {
  const good = await open(t);
  assert.equal((await good.call('GET', 'runtime/restore/next')).status, 200);
  // It waits until the test closes its connection.
  good.call('GET', NEXT).catch((error: NodeJS.ErrnoException) => assert.equal(error.code, 'ECONNRESET'));
  assert.equal((await good.instance.initialised).kind, 'ready');
  const bad = await open(t);
  assert.equal((await bad.call('GET', 'runtime/restore/next')).status, 200);
  assert.equal((await bad.call('POST', 'runtime/restore/error', '{"errorType":"Runtime.AfterRestore"}')).status, 202);
  assert.equal((await bad.instance.initialised).kind, 'failed');
});

test('what comes in the wrong order, or for another invocation, is refused and changes nothing', async (t) => {
  const { instance, call } = await open(t);
  const response = `runtime/invocation/${ID}/response`;
  assert.deepEqual(errorOf(await call('POST', response, '1')), [403, 'InvalidStateTransition'], 'before any event');
  const heard = invoke(instance);
  await call('GET', NEXT);
  assert.deepEqual(errorOf(await call('GET', NEXT)), [403, 'InvalidStateTransition'], 'next before the answer');
  assert.deepEqual(errorOf(await call('POST', 'runtime/invocation/other/response', '1')), [400, 'InvalidRequestID']);
  assert.deepEqual(errorOf(await call('POST', 'runtime/invocation/other/error', '1')), [400, 'InvalidRequestID']);
  assert.deepEqual(errorOf(await call('GET', 'runtime/restore/next')), [403, 'InvalidStateTransition']);
  assert.deepEqual(errorOf(await call('POST', 'runtime/init/error', '{}')), [403, 'InvalidStateTransition']);
  assert.deepEqual(errorOf(await call('GET', 'runtime/nowhere')), [404, 'NotFound']);
  assert.deepEqual(errorOf(await call('DELETE', response)), [404, 'NotFound']);
  assert.equal((await call('POST', response, '"first"')).status, 202);
  assert.deepEqual(errorOf(await call('POST', response, '"second"')), [403, 'InvalidStateTransition'], 'answered twice');
  const { end } = await heard;
  assert.equal(end.kind === 'answered' && end.payload.toString(), '"first"');
});

test('an answer over the limit is refused, and the invocation fails with it', async (t) => {
  const { instance, call } = await open(t);
  for (const bytes of [6_291_556, 6_291_557]) {
    const heard = invoke(instance);
    await call('GET', NEXT);
    const said = await call('POST', `runtime/invocation/${ID}/response`, Buffer.alloc(bytes, '1')).catch((error: unknown) => error);
    const { end } = await heard;
    if (bytes === 6_291_556) {
      assert.equal((said as Said).status, 202);
      assert.ok(end.kind === 'answered' && end.payload.length === bytes);
    } else {
      // The connection may be gone before all was written.
      if (!(said instanceof Error)) assert.equal((said as Said).status, 413);
      assert.ok(end.kind === 'failed' && end.error.errorType === 'Function.ResponseSizeTooLarge', JSON.stringify(end));
    }
  }
});

test('an answer that breaks off fails the invocation, and the runtime can go on', async (t) => {
  const { instance, address, call } = await open(t);
  const heard = invoke(instance);
  await call('GET', NEXT);
  const posting = request(`http://${address}/2018-06-01/runtime/invocation/${ID}/response`, { method: 'POST' });
  posting.on('error', () => {});
  await new Promise<void>((resolve) => void posting.write('{"half":', () => resolve()));
  posting.destroy();
  const { end } = await heard;
  assert.ok(end.kind === 'failed' && end.error.errorType === 'Runtime.TruncatedResponse', JSON.stringify(end));
  const again = invoke(instance);
  await call('GET', NEXT);
  await call('POST', `runtime/invocation/${ID}/response`, '1');
  assert.equal((await again).end.kind, 'answered');
});

const STREAMING = { 'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Transfer-Encoding': 'chunked' };

/** Posts an answer in pieces. */
function stream(
  address: string,
  pieces: readonly (string | Buffer)[],
  headers: OutgoingHttpHeaders,
  trailers: Record<string, string> = {},
) {
  return new Promise<number>((resolve, reject) => {
    const names = Object.keys(trailers);
    const posting = request(
      `http://${address}/2018-06-01/runtime/invocation/${ID}/response`,
      { method: 'POST', headers: { ...STREAMING, ...headers, ...(names.length > 0 && { Trailer: names.join(', ') }) } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode!);
      },
    );
    posting.on('error', reject);
    const write = (i: number): void => {
      if (i < pieces.length) posting.write(pieces[i]!, () => setImmediate(write, i + 1));
      else {
        posting.addTrailers(trailers);
        posting.end();
      }
    };
    write(0);
  });
}

test('a streamed answer is handed on as it comes, with what comes before its body', async (t) => {
  const { instance, address, call } = await open(t);
  const plain = invoke(instance);
  await call('GET', NEXT);
  assert.equal(await stream(address, ['a', 'b', 'c'], { 'content-type': 'text/plain' }), 202);
  assert.deepEqual(await plain, { head: { contentType: 'text/plain' }, chunks: 'abc', end: { kind: 'streamed', memoryKiB: 2048 } });

  const type = 'application/vnd.awslambda.http-integration-response';
  const prelude = Buffer.from('{"statusCode":201,"headers":{"x-a":"1","bad":2},"cookies":["c=1"]}\0\0\0\0\0\0\0\0body');
  // Cut at every place.
  for (const at of [1, 40, prelude.length - 9, prelude.length - 4]) {
    const heard = invoke(instance);
    await call('GET', NEXT);
    await stream(address, [prelude.subarray(0, at), prelude.subarray(at), ' and more'], { 'content-type': type });
    assert.deepEqual(await heard, {
      head: { contentType: type, prelude: { statusCode: 201, headers: { 'x-a': '1' }, cookies: ['c=1'] } },
      chunks: 'body and more',
      end: { kind: 'streamed', memoryKiB: 2048 },
    });
  }
});

test('a stream that breaks off says why in its trailers, and one without the end of its prelude has no beginning', async (t) => {
  const { instance, address, call } = await open(t);
  const body = '{"errorMessage":"midway","errorType":"Oops","stackTrace":["x"]}';
  const heard = invoke(instance);
  await call('GET', NEXT);
  const trailers = {
    'Lambda-Runtime-Function-Error-Type': 'Oops',
    'Lambda-Runtime-Function-Error-Body': Buffer.from(body).toString('base64'),
  };
  assert.equal(await stream(address, ['half'], { 'content-type': 'text/plain' }, trailers), 202);
  const { chunks, end } = await heard;
  assert.equal(chunks, 'half');
  assert.deepEqual(end, {
    kind: 'streamed',
    memoryKiB: 2048,
    error: { errorMessage: 'midway', errorType: 'Oops', stackTrace: ['x'], body },
  });
  const type = 'application/vnd.awslambda.http-integration-response';
  for (const piece of ['{"statusCode":200}', Buffer.alloc(100_000, ' '), 'not JSON\0\0\0\0\0\0\0\0']) {
    const failed = invoke(instance);
    await call('GET', NEXT);
    // The connection may be gone before all was written.
    await Promise.allSettled([stream(address, [piece], { 'content-type': type })]);
    assert.equal((await failed).end.kind, 'failed');
  }
});

test('an instance that ends while it runs ends its invocation with it, one that is killed at once', async (t) => {
  const died = await open(t);
  const heard = invoke(died.instance);
  await died.call('GET', NEXT);
  died.instance.reportExit({ kind: 'exited', code: 3 });
  assert.deepEqual((await heard).end, { kind: 'died', exit: { kind: 'exited', code: 3 } });
  assert.deepEqual([died.instance.alive, await died.instance.closed], [false, { kind: 'exited', code: 3 }]);
  const killed = await open(t);
  const waiting = invoke(killed.instance);
  killed.instance.kill();
  assert.deepEqual((await waiting).end, { kind: 'died', exit: { kind: 'ended' } });
  assert.deepEqual(killed.ends, [true]);
  assert.deepEqual((await invoke(killed.instance)).end, { kind: 'died', exit: { kind: 'ended' } });
});
