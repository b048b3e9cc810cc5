import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { manualClock, seededRandom } from '../../kernel/mod.ts';
import { SimStore } from '../../adapters/simulated/mod.ts';
import { entriesOf } from '../../ports/mod.ts';
import { createSeal } from '../../protocol/mod.ts';
import type { FunctionLogs, InvocationReport, LogEntry, StartRecord } from '../../ports/mod.ts';
import { openAccessKeys } from '../door/mod.ts';
import { createAdminApi } from './mod.ts';
import type { AdminOptions } from './mod.ts';
import { createTraceExport } from './trace-export.ts';

test('keys are made with a description, listed and deleted', async (t) => {
  const { url, keys } = await setUp(t);
  assert.deepEqual(await (await fetch(`${url}/_hearth/health`)).json(), { status: 'ok' });
  const created = await fetch(`${url}/_hearth/keys`, { method: 'POST', body: '{"description":"ci"}' });
  assert.equal(created.status, 201);
  const key = (await created.json()) as { accessKeyId: string; secretAccessKey: string };
  assert.equal(keys.secretOf(key.accessKeyId), key.secretAccessKey);
  await fetch(`${url}/_hearth/keys`, { method: 'POST' });
  const { keys: listed } = (await (await fetch(`${url}/_hearth/keys`)).json()) as { keys: readonly { description: string }[] };
  assert.deepEqual(
    listed.map((each) => each.description),
    ['ci', ''],
  );
  assert.ok(!JSON.stringify(listed).includes(key.secretAccessKey));
  assert.equal((await fetch(`${url}/_hearth/keys/${key.accessKeyId}`, { method: 'DELETE' })).status, 200);
  assert.equal(keys.list().length, 1);
});

test('ready says no while draining, and info says what runs here', async (t) => {
  const { url, state } = await setUp(t);
  assert.equal((await fetch(`${url}/_hearth/ready`)).status, 200);
  state.ready = false;
  assert.equal((await fetch(`${url}/_hearth/ready`)).status, 503);
  assert.deepEqual(await (await fetch(`${url}/_hearth/info`)).json(), INFO);
  assert.deepEqual(await (await fetch(`${url}/_hearth/warming`)).json(), WARMING);
});

test('what is not there, and what is not understood, is refused by its own code', async (t) => {
  const { url } = await setUp(t);
  const code = async (path: string, init?: RequestInit) => (await fetch(`${url}${path}`, init)).headers.get('x-amzn-errortype');
  assert.equal(await code('/_hearth/nothing'), 'NotFound');
  assert.equal(await code('/_hearth/functions/nobody/logs'), 'ResourceNotFoundException');
  assert.equal(await code('/_hearth/functions/%E0%A4%A/logs'), 'BadRequest');
  assert.equal(await code('/_hearth/functions/hello/logs?limit=many'), 'BadRequest');
  assert.equal(await code('/_hearth/keys/AKIANOBODY', { method: 'DELETE' }), 'ResourceNotFoundException');
  assert.equal(await code('/_hearth/keys', { method: 'POST', body: '{' }), 'InvalidRequestContentException');
  assert.equal(await code('/_hearth/keys', { method: 'POST', body: JSON.stringify({ description: 'x'.repeat(300) }) }), 'BadRequest');
  assert.equal((await fetch(`${url}/elsewhere`)).status, 418, 'other paths are left to others');
});

test('an image comes in pieces, each at its offset, and is listed and deleted by its digest', async (t) => {
  const { url, asked } = await setUp(t);
  const send = async (method: string, path: string, body?: string) => {
    const response = await fetch(`${url}/_hearth/${path}`, { method, ...(body !== undefined && { body }) });
    return [response.status, await response.json()];
  };
  assert.deepEqual(await send('POST', 'uploads'), [201, { id: 'upload-1' }]);
  assert.deepEqual(await send('PUT', 'uploads/upload-1?offset=3', 'piece'), [200, { bytes: 8 }]);
  assert.deepEqual(await send('POST', 'images', '{"upload":"upload-1","name":"it:1"}'), [201, IMAGE]);
  assert.deepEqual(await send('POST', 'images', JSON.stringify({ archive: IMAGE.layers[0] })), [201, IMAGE]);
  assert.equal((await send('POST', 'images', JSON.stringify({ archive: `sha256:${'2'.repeat(64)}` })))[0], 404);
  assert.deepEqual(await send('GET', 'images'), [200, { images: [IMAGE] }]);
  assert.deepEqual(await send('DELETE', `images/${encodeURIComponent(IMAGE.digest)}`), [200, { deleted: IMAGE.digest }]);
  assert.deepEqual(await send('DELETE', 'uploads/upload-1'), [200, { cancelled: 'upload-1' }]);
  assert.deepEqual(asked, [
    { id: 'upload-1', offset: 3, piece: 'piece' },
    { upload: 'upload-1', name: 'it:1' },
    { deleted: IMAGE.digest },
    { cancelled: 'upload-1' },
  ]);
  for (const body of ['{}', '[]', '{"upload":1}', JSON.stringify({ upload: 'a', name: 'n'.repeat(600) })])
    assert.equal((await send('POST', 'images', body))[0], 400, body);
  for (const query of ['', '?offset=-1', '?offset=x']) assert.equal((await send('PUT', `uploads/upload-1${query}`, 'x'))[0], 400, query);
});

test('a log is sent as lines, of one request when asked for', async (t) => {
  const { url, logs } = await setUp(t);
  logs.append(entry('one', 'a'));
  logs.append(entry('two', 'b'));
  const lines = async (query: string) => (await (await fetch(`${url}/_hearth/functions/hello/logs?${query}`)).text()).trim().split('\n');
  assert.deepEqual(
    (await lines('')).map((line) => JSON.parse(line).text),
    ['one', 'two'],
  );
  assert.deepEqual(
    (await lines('requestId=b')).map((line) => JSON.parse(line).text),
    ['two'],
  );
});

test('a followed log has what was there and what comes, each once, and is let go when the reader leaves', async (t) => {
  const { url, logs, clock } = await setUp(t);
  logs.append(entry('before', 'a'));
  // Appended while the request reads what there is: in what was read, and in what was followed.
  logs.onRead = () => logs.append(entry('meanwhile', 'a'));
  const leave = new AbortController();
  const response = await fetch(`${url}/_hearth/functions/hello/logs?follow=1&requestId=a`, { signal: leave.signal });
  const lines = createInterface({ input: Readable.fromWeb(response.body!) })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value!).text;
  assert.equal(await next(), 'before');
  assert.equal(await next(), 'meanwhile');
  logs.append(entry('of another request', 'b'));
  logs.append(entry('after', 'a'));
  assert.equal(await next(), 'after');
  clock.advance(15_000);
  assert.equal((await lines.next()).value, '', 'a heartbeat');
  const released = once(logs.events, 'released');
  leave.abort();
  await assert.rejects(lines.next(), { name: 'AbortError' });
  await released;
});

test('what is kept of a function is told, and nothing of one that is not there', async (t) => {
  const { url } = await setUp(t);
  assert.deepEqual(await (await fetch(`${url}/_hearth/functions/hello/warm`)).json(), {
    functionName: 'hello',
    versions: [],
    schedules: [],
  });
  assert.equal((await fetch(`${url}/_hearth/functions/nobody/warm`)).headers.get('x-amzn-errortype'), 'ResourceNotFoundException');
});

test('starts are listed by function and found by id, and what is not understood is refused', async (t) => {
  const { url, asked } = await setUp(t);
  const listed = await fetch(`${url}/_hearth/functions/hello/starts?kind=fork&limit=5`);
  assert.deepEqual(await listed.json(), { starts: [START] });
  assert.deepEqual(asked, [{ functionName: 'hello', kind: 'fork', limit: 5 }]);
  assert.deepEqual(await (await fetch(`${url}/_hearth/starts/${START.id}`)).json(), START);
  const code = async (path: string) => (await fetch(`${url}${path}`)).headers.get('x-amzn-errortype');
  assert.equal(await code('/_hearth/functions/nobody/starts'), 'ResourceNotFoundException');
  assert.equal(await code('/_hearth/functions/hello/starts?kind=cold'), 'BadRequest');
  assert.equal(await code('/_hearth/functions/hello/starts?limit=all'), 'BadRequest');
  assert.equal(await code('/_hearth/starts/9b49c754-b47c-4598-b926-733caffc0e6b'), 'ResourceNotFoundException');
  assert.equal(await code('/_hearth/starts/a%22b'), 'BadRequest');
});

test('recorded invocations are exported as lines, without what a function has said, and the last line counts them', async (t) => {
  const { url, logs } = await setUp(t);
  const report = (functionName: string, startedMs: number, more: Partial<InvocationReport> = {}): InvocationReport => ({
    ...{ functionName, version: '3', requestId: 'r1', startedMs, endedMs: startedMs + 9, durationMs: 8.756, billedMs: 9, memoryMiB: 128 },
    ...{ usedMiB: 40, initMs: undefined, status: '', begun: false, start: { kind: 'warm', cause: 'idle' }, waitedMs: 0, ...more },
  });
  logs.report(
    report('hello', 1_000, {
      waitedMs: 20.504,
      initMs: 15.255,
      start: { kind: 'boot', cause: 'first call', detail: 'x' },
      trigger: 'http',
    }),
  );
  logs.report(report('hello', 2_000, { status: 'Status: error\tError Type: Secret', start: undefined }));
  logs.report(report('full', 3_000));
  const exported = async (query: string) => {
    const text = await (await fetch(`${url}/_hearth/trace?${query}`)).text();
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
  };
  const common = { version: '3', durationMs: 8.76, memoryMiB: 128, usedMiB: 40 };
  const hello = [
    {
      function: 'hello',
      ...common,
      atMs: 979,
      waitMs: 20.5,
      initMs: 15.26,
      start: 'boot',
      cause: 'first call',
      trigger: 'http',
      status: 'ok',
    },
    { function: 'hello', ...common, atMs: 2_000, waitMs: 0, trigger: 'invoke', status: 'error' },
  ];
  const full = { function: 'full', ...common, atMs: 3_000, waitMs: 0, start: 'warm', cause: 'idle', trigger: 'invoke', status: 'ok' };
  const header = { hearthTrace: 1, exportedMs: START_MS };
  assert.deepEqual(await exported(''), [header, ...hello, { function: 'full', cut: true }, full, { end: true, invocations: 3 }]);
  assert.deepEqual(await exported('since=2000&function=hello'), [{ ...header, sinceMs: 2_000 }, hello[1], { end: true, invocations: 1 }]);
  const unknown = await fetch(`${url}/_hearth/trace?function=nobody`);
  assert.equal(unknown.headers.get('x-amzn-errortype'), 'ResourceNotFoundException');
  assert.equal((await fetch(`${url}/_hearth/trace?since=yesterday`)).status, 400);
});

test('one trace is exported at a time, to its limit', async () => {
  const logs = memoryLogs([]);
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  logs.invocations = async function* invocations() {
    asked.resolve();
    await go.promise;
    yield { reports: [LONE_REPORT, LONE_REPORT, LONE_REPORT], cut: false };
  };
  const send = createTraceExport({ logs, clock: manualClock(), limit: 2 });
  const what = { functionNames: ['hello'], sinceMs: undefined };
  const first = answerOf();
  const sending = send(first.response, what);
  await asked.promise;
  await assert.rejects(send(answerOf().response, what), { code: 'TooManyRequestsException' });
  go.resolve();
  await sending;
  assert.deepEqual(JSON.parse(first.text().trimEnd().split('\n').at(-1)!), { end: true, invocations: 2, limited: true });
  await send(answerOf().response, what);
});

const LONE_REPORT: InvocationReport = {
  ...{ functionName: 'hello', version: '3', requestId: 'r1', startedMs: 1, endedMs: 9, durationMs: 8, billedMs: 9, memoryMiB: 128 },
  ...{ usedMiB: 40, initMs: undefined, status: '', begun: false, start: undefined, waitedMs: 0 },
};

/** A response that nobody reads. */
function answerOf(): { readonly response: ServerResponse; text(): string } {
  let text = '';
  const take = (chunk: string) => (text += chunk) !== '';
  return { response: { destroyed: false, writeHead() {}, write: take, end: take } as unknown as ServerResponse, text: () => text };
}

const START: StartRecord = {
  id: '00000000-0000-4000-8000-000000000000',
  functionName: 'hello',
  version: '$LATEST',
  invoked: true,
  timeMs: 5,
  kind: 'fork',
  cause: 'all busy',
  from: 'spare',
  totalMs: 3,
  steps: [{ name: 'arrived', atMs: 0 }],
};

const START_MS = 1_700_000_000_000;
const IMAGE = {
  names: ['test:1'],
  digest: `sha256:${'0'.repeat(64)}`,
  architecture: 'amd64',
  entrypoint: ['/bin/serve'],
  command: [],
  workingDirectory: '/',
  layers: [`sha256:${'1'.repeat(64)}`],
};
const INFO = {
  version: '0.1.0',
  driver: 'simulated',
  isolated: false,
  authentication: false,
  keepAliveMs: 600_000,
  warming: 'hazard',
  startedMs: START_MS,
};
const WARMING = { policy: 'hazard', speed: 1, keepMs: 600_000, priceMiBSeconds: 250_000, shared: 'AA==' } as const;
const entry = (text: string, requestId: string): LogEntry => ({ functionName: 'hello', timeMs: START_MS, requestId, text });

async function setUp(t: TestContext) {
  const clock = manualClock(START_MS);
  const store = await SimStore.open();
  const keys = await openAccessKeys({ store, random: seededRandom(1), clock, seal: createSeal([new Uint8Array(32)], seededRandom(1)) });
  const asked: unknown[] = [];
  const logs = memoryLogs(asked);
  const state = { ready: true };
  const admin = createAdminApi({
    info: INFO,
    ready: () => state.ready,
    stats: () => [],
    load: () => {
      throw new Error('not asked for here');
    },
    warming: () => WARMING,
    warmth: (functionName) => ({ functionName, versions: [], schedules: [] }),
    functionNames: () => ['hello', 'full'],
    functionExists: (name) => name === 'hello' || name === 'full',
    logs,
    keys,
    images: memoryImages(asked),
    clock,
    onError: (error) => assert.fail(String(error)),
  });
  const server = createServer(async (request, response) => {
    if (!admin(request, response, await buffer(request))) response.writeHead(418).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfter(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, clock, keys, logs, state, asked };
}

function memoryImages(asked: unknown[]): AdminOptions['images'] {
  return {
    begin: async () => ({ id: 'upload-1' }),
    async append(id, offset, piece) {
      asked.push({ id, offset, piece: Buffer.from(piece).toString() });
      return { bytes: offset + piece.length };
    },
    async cancel(id) {
      asked.push({ cancelled: id });
    },
    async add(upload) {
      asked.push(upload);
      return IMAGE;
    },
    brought: async ({ archive }) => (archive === IMAGE.layers[0] ? IMAGE : undefined),
    list: async () => [IMAGE],
    async delete(digest) {
      asked.push({ deleted: digest });
    },
  };
}

function memoryLogs(asked: unknown[]): FunctionLogs & { onRead: () => void; readonly events: EventEmitter } {
  const entries: LogEntry[] = [];
  const reports: InvocationReport[] = [];
  const followers = new Set<(entry: LogEntry) => void>();
  const events = new EventEmitter();
  return {
    events,
    onRead() {},
    append(each) {
      entries.push(each);
      for (const follower of followers) follower(each);
    },
    report(report) {
      reports.push(report);
      for (const each of entriesOf(report)) this.append(each);
    },
    started() {},
    async starts(functionName, query) {
      asked.push({ functionName, ...query });
      return [START];
    },
    findStart: async (id, functionNames) => ([...functionNames].includes('hello') && id === START.id ? START : undefined),
    async *invocations(functionName) {
      yield { reports: [], cut: functionName === 'full' };
      yield { reports: reports.filter((report) => report.functionName === functionName), cut: functionName === 'full' };
    },
    isFollowed: () => followers.size > 0,
    async read(_name, query) {
      this.onRead();
      return entries.filter((each) => query.requestId === undefined || each.requestId === query.requestId);
    },
    follow(_name, onEntry) {
      followers.add(onEntry);
      return () => {
        if (followers.delete(onEntry)) events.emit('released');
      };
    },
    async delete() {},
    async flush() {},
    async close() {},
  };
}
