import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthError, manualClock, seededRandom } from '../../kernel/mod.ts';
import type { ErrorCode } from '../../kernel/mod.ts';
import { createSeal, signRequest, signature, signingKey, writeTimestamp } from '../../protocol/mod.ts';
import { SimStore } from '../../adapters/simulated/mod.ts';
import { checkListen, createDoor, openAccessKeys } from './mod.ts';
import { replayGuard } from './replay.ts';

const START_MS = 1_700_000_000_000;
const seal = createSeal([seededRandom(1).bytes(32)], seededRandom(1));
const code = (expected: ErrorCode) => (error: unknown) => error instanceof HearthError && error.code === expected;

async function open(auth = true) {
  const clock = manualClock(START_MS);
  const random = seededRandom(2);
  const store = await SimStore.open();
  const keys = await openAccessKeys({ store, random, clock, seal });
  const key = await keys.create({ description: 'mine' });
  return { clock, store, keys, key, door: createDoor({ auth, keys, clock, region: 'us-east-1' }) };
}

type Given = { method?: string; path?: string; headers?: Record<string, string>; body?: string; region?: string; service?: string };

function signed(key: { accessKeyId: string; secretAccessKey: string }, timeMs: number, given: Given = {}) {
  const method = given.method ?? 'POST';
  const url = new URL(given.path ?? '/2015-03-31/functions/a%3A1/invocations?Qualifier=1', 'http://127.0.0.1:4566');
  const body = Buffer.from(given.body ?? '{}');
  const region = given.region ?? 'us-east-1';
  const service = given.service ?? 'lambda';
  const headers = signRequest({ method, url, body, ...key, region, service, timeMs, headers: given.headers ?? {} });
  const rawHeaders = ['Host', url.host, ...Object.entries(headers).flat()];
  return { method, url: url.pathname + url.search, rawHeaders, headers: { host: url.host, ...headers }, body };
}

function header<R extends { rawHeaders: string[] }>(request: R, name: string, value: string | undefined) {
  const rawHeaders = request.rawHeaders.slice();
  const at = rawHeaders.indexOf(name);
  if (value === undefined) rawHeaders.splice(at, 2);
  else if (at === -1) rawHeaders.push(name, value);
  else rawHeaders[at + 1] = value;
  return { ...request, rawHeaders };
}

test('a request signed with a known key is let in, and its caller is known', async () => {
  const { door, key } = await open();
  const request = signed(key, START_MS);
  const examination = door.admit(request, ['lambda']);
  examination?.confirm(request.body);
  assert.equal(examination?.accessKeyId, key.accessKeyId);
});

test('a signature of a request that is later changed is refused', async () => {
  const { door, key } = await open();
  const request = signed(key, START_MS);
  const refuse = (changed: typeof request, expected: ErrorCode) =>
    assert.throws(() => door.admit(changed, ['lambda'])?.confirm(changed.body), code(expected));
  refuse({ ...request, url: '/2015-03-31/functions/b/invocations' }, 'InvalidSignatureException');
  refuse({ ...request, method: 'DELETE' }, 'InvalidSignatureException');
  refuse({ ...request, body: Buffer.from('{"a":1}') }, 'InvalidSignatureException');
  refuse(header(request, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD'), 'InvalidSignatureException');
  refuse(header(request, 'x-amz-invocation-type', 'Event'), 'InvalidSignatureException');
  refuse(header(request, 'authorization', undefined), 'MissingAuthenticationTokenException');
  refuse(header(request, 'authorization', 'Bearer x'), 'IncompleteSignatureException');
  refuse(
    header(request, 'authorization', 'AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x'),
    'IncompleteSignatureException',
  );
});

test('a wrong secret, an unknown key, another region and another service are refused', async () => {
  const { door, key } = await open();
  const refuse = (request: ReturnType<typeof signed>, expected: ErrorCode) =>
    assert.throws(() => door.admit(request, ['lambda']), code(expected));
  refuse(signed({ ...key, secretAccessKey: 'x' }, START_MS), 'InvalidSignatureException');
  refuse(signed({ ...key, accessKeyId: 'AKIAX' }, START_MS), 'UnrecognizedClientException');
  refuse(signed(key, START_MS, { region: 'eu-central-1' }), 'InvalidSignatureException');
  refuse(signed(key, START_MS, { service: 'sqs' }), 'InvalidSignatureException');
});

test('a signature is good within five minutes of its time, before and after', async () => {
  const { door, key } = await open();
  for (const offsetMs of [-300_000, 0, 300_000]) door.admit(signed(key, START_MS + offsetMs), ['lambda']);
  for (const offsetMs of [-301_000, 301_000])
    assert.throws(() => door.admit(signed(key, START_MS + offsetMs), ['lambda']), code('InvalidSignatureException'));
});

test('a changing request cannot be sent twice, within its time or after; a reading one can', async () => {
  const { door, key, clock } = await open();
  const request = signed(key, START_MS);
  door.admit(request, ['lambda'])?.confirm(request.body);
  for (const waitMs of [0, 299_000, 2_000]) {
    clock.advance(waitMs);
    assert.throws(() => door.admit(request, ['lambda'])?.confirm(request.body), code('InvalidSignatureException'));
  }
  const reading = signed(key, clock.now(), { method: 'GET', body: '' });
  for (let i = 0; i < 2; i++) door.admit(reading, ['lambda'])?.confirm(reading.body);
});

test('without the announced hash the body itself is hashed', async () => {
  const { door, key } = await open();
  const body = Buffer.from('{"a":1}');
  const scope = { timestamp: writeTimestamp(START_MS), region: 'us-east-1', service: 'lambda' };
  const rawHeaders = ['Host', 'h', 'X-Amz-Date', scope.timestamp];
  const payloadHash = '015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862';
  const request = { method: 'POST', url: '/', rawHeaders };
  const input = { ...scope, signedHeaders: ['host', 'x-amz-date'], payloadHash, normalizePath: true };
  const hash = signature(request, input, signingKey(key.secretAccessKey, scope));
  const credential = `${key.accessKeyId}/${scope.timestamp.slice(0, 8)}/us-east-1/lambda/aws4_request`;
  rawHeaders.push('Authorization', `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=host;x-amz-date,Signature=${hash}`);
  const admitted = door.admit({ ...request, headers: {} }, ['lambda']);
  assert.throws(() => admitted?.confirm(Buffer.from('{}')), code('InvalidSignatureException'));
  admitted?.confirm(body);
});

test('a presigned URL is good until it expires, as often as it is used', async () => {
  const { door, key, clock } = await open();
  const scope = { timestamp: writeTimestamp(START_MS), region: 'us-east-1', service: 'lambda' };
  const credential = encodeURIComponent(`${key.accessKeyId}/${scope.timestamp.slice(0, 8)}/us-east-1/lambda/aws4_request`);
  const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&X-Amz-Date=${scope.timestamp}&X-Amz-SignedHeaders=host&X-Amz-Expires=900`;
  const request = { method: 'POST', url: `/x?${query}`, rawHeaders: ['Host', 'h'] };
  const payloadHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const hash = signature(
    request,
    { ...scope, signedHeaders: ['host'], payloadHash, normalizePath: true },
    signingKey(key.secretAccessKey, scope),
  );
  const presigned = { ...request, url: `${request.url}&X-Amz-Signature=${hash}`, headers: {} };
  for (const waitMs of [0, 450_000, 450_000]) {
    clock.advance(waitMs);
    door.admit(presigned, ['lambda'])?.confirm(Buffer.alloc(0));
  }
  clock.advance(1_000);
  assert.throws(() => door.admit(presigned, ['lambda']), code('InvalidSignatureException'));
});

test('the guard against replays is bounded, and forgets the oldest first', () => {
  const guard = replayGuard(3);
  for (const signature of ['a', 'b', 'c', 'd']) assert.ok(guard.accept(signature, 0, 10));
  assert.ok(!guard.accept('d', 9, 10));
  assert.ok(guard.accept('a', 9, 10));
  assert.ok(guard.accept('d', 10, 20));
});

test('access keys survive a new start, sealed; with another sealing key they do not open', async () => {
  const { store, keys, key, clock } = await open();
  const stored = await store.get<{ sealed: string }>(`keys/${key.accessKeyId}`);
  assert.ok(stored && !JSON.stringify(stored.value).includes(key.secretAccessKey));
  const random = seededRandom(3);
  const options = { store, random, clock };
  const reopened = await openAccessKeys({ ...options, seal });
  assert.equal(reopened.secretOf(key.accessKeyId), key.secretAccessKey);
  assert.deepEqual(reopened.list(), [{ accessKeyId: key.accessKeyId, description: 'mine', createdMs: START_MS }]);
  await assert.rejects(
    openAccessKeys({ ...options, seal: createSeal([seededRandom(9).bytes(32)], random) }),
    code('DataDirectoryUnusable'),
  );
  assert.equal(await keys.delete(key.accessKeyId), true);
  assert.equal(await keys.delete(key.accessKeyId), false);
  assert.equal(keys.secretOf(key.accessKeyId), undefined);
  assert.deepEqual((await openAccessKeys({ ...options, seal })).list(), []);
});

test('a deleted key is refused at once', async () => {
  const { door, key, keys } = await open();
  await keys.delete(key.accessKeyId);
  assert.throws(() => door.admit(signed(key, START_MS), ['lambda']), code('UnrecognizedClientException'));
});

test('without authentication any credentials pass, but not what a foreign page can send', async () => {
  const { door } = await open(false);
  const admit = (headers: Record<string, string>, method = 'POST') => door.admit({ method, url: '/', rawHeaders: [], headers }, ['lambda']);
  for (const host of ['127.0.0.1:4566', 'localhost', 'localhost:1', '[::1]:4566', 'hearth.localhost:4566'])
    assert.equal(admit({ host }), undefined);
  assert.equal(admit({ host: 'localhost', origin: 'http://localhost:5173' }), undefined);
  assert.equal(admit({ host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 'GET'), undefined);
  const foreign: Record<string, string>[] = [
    {},
    { host: 'evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: 'localhost', origin: 'https://evil.example' },
    { host: 'localhost', origin: 'null' },
    { host: 'localhost', origin: 'http://abc.lambda-url.us-east-1.localhost:4566' },
    { host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    { host: 'localhost:4566', origin: 'http://localhost:4566' },
    { host: 'localhost:4566', origin: 'http://127.0.0.1:4566' },
    { host: 'localhost:4566', 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' },
  ];
  for (const headers of foreign) assert.throws(() => admit(headers), code('AccessDeniedException'), JSON.stringify(headers));
});

test('listening beyond loopback is refused without authentication, and explained', () => {
  for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '::1', '[::1]']) checkListen({ host, auth: false });
  for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.org', '127.0.0.1.nip.io']) {
    assert.throws(() => checkListen({ host, auth: false }), code('ListenRefused'));
    checkListen({ host, auth: true });
  }
});
