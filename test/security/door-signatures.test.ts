/** With --auth: everything that is no signature by a key of this platform over exactly this request, now. Nothing of it may pass. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { credentialScope, signRequest, signature, signingKey, writeTimestamp } from '../../src/protocol/mod.ts';
import { runHearth, startPlatform } from '../e2e/cli-platform.ts';
import { wire } from './wire.ts';

type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };
type Sent = { method: string; target: string; headers: [string, string][]; body: string };

const FUNCTIONS = '/2015-03-31/functions';
const KEYS = '/_hearth/keys';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('signatures that are none', { timeout: 300_000 }, async (t) => {
  const data = temporaryDirectory(t);
  const made = await runHearth(['keys', 'create', '--data', data, '--json']);
  assert.equal(made.code, 0, made.stderr);
  const key = JSON.parse(made.stdout) as Key;
  const platform = await startPlatform(t, ['--auth'], data);
  const { host } = new URL(platform.url);
  const client = new LambdaClient({
    endpoint: platform.url,
    region: 'us-east-1',
    credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey },
    maxAttempts: 1,
  });
  closeAfter(t, () => client.destroy());

  type Change = {
    method?: string;
    path?: string;
    body?: string;
    timeMs?: number;
    region?: string;
    service?: string;
    key?: Key;
    signedHost?: string;
  };
  /** A request with a good signature, as it goes over the wire: to be spoilt. */
  const signed = (change: Change = {}): Sent => {
    const { method = 'POST', path = KEYS, body = '{"description":"stolen"}', region = 'us-east-1', service = 'lambda' } = change;
    const url = new URL(path, `http://${change.signedHost ?? host}`);
    const headers = signRequest({
      method,
      url,
      body: Buffer.from(body),
      ...(change.key ?? key),
      region,
      service,
      timeMs: change.timeMs ?? Date.now(),
    });
    return { method, target: path, headers: [['host', host], ...Object.entries(headers)], body };
  };
  const send = async ({ method, target, headers, body }: Sent): Promise<number> => {
    const connection = wire(platform.url);
    const lines = [...headers, ['content-length', String(Buffer.byteLength(body))], ['connection', 'close']].map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    connection.send(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
    const [answer] = await connection.closed();
    assert.ok(answer, 'there is an answer');
    return answer.status;
  };
  const keysNow = async () => (await platform.json<unknown[]>(['keys', 'list'], { env: environment(key) })).length;
  const header = (sent: Sent, name: string, change: (value: string) => string): Sent => ({
    ...sent,
    headers: sent.headers.map(([each, value]) => [each, each === name ? change(value) : value]),
  });
  const also = (sent: Sent, ...more: [string, string][]): Sent => ({ ...sent, headers: [...sent.headers, ...more] });
  const presigned = (change: { expires?: string; timeMs?: number; more?: string; path?: string; method?: string } = {}): Sent => {
    const { expires = '60', path = KEYS, method = 'GET', more = '' } = change;
    const scope = { timestamp: writeTimestamp(change.timeMs ?? Date.now()), region: 'us-east-1', service: 'lambda' };
    const credential = encodeURIComponent(`${key.accessKeyId}/${credentialScope(scope)}`);
    const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${credential}&X-Amz-Date=${scope.timestamp}&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=host`;
    const request = { method, url: `${path}?${query}`, rawHeaders: ['host', host] };
    const input = { ...scope, signedHeaders: ['host'], payloadHash: sha256(''), normalizePath: true };
    const hash = signature(request, input, signingKey(key.secretAccessKey, scope));
    return { method, target: `${path}?${query}&X-Amz-Signature=${hash}${more}`, headers: [['host', host]], body: '' };
  };

  assert.equal(await send(signed()), 201, 'a good one passes');
  assert.equal(await send(presigned()), 200, 'a good URL passes');

  const attempt = (what: string, ...requests: (() => Sent)[]) =>
    t.test(what, async () => {
      const before = await keysNow();
      for (const request of requests) {
        const status = await send(request());
        assert.ok(status >= 400 && status < 500, `${status}`);
      }
      assert.equal(await keysNow(), before, 'no key was made');
      await client.send(new ListFunctionsCommand());
      assert.equal((await fetch(`${platform.url}/_hearth/health`)).status, 200);
    });

  await attempt(
    'no signature',
    () => ({ ...signed(), headers: [['host', host]] }),
    () => ({ ...signed({ method: 'GET', path: FUNCTIONS, body: '' }), headers: [['host', host]] }),
  );
  await attempt(
    'a key that is not known',
    () => signed({ key: { ...key, accessKeyId: 'AKIAUNKNOWN' } }),
    () => signed({ key: { ...key, accessKeyId: '__proto__' } }),
    () => signed({ key: { ...key, accessKeyId: 'constructor' } }),
  );
  await attempt(
    'a wrong secret',
    () => signed({ key: { ...key, secretAccessKey: 'wrong' } }),
    () => signed({ key: { ...key, secretAccessKey: '' } }),
    () => signed({ key: { ...key, secretAccessKey: key.secretAccessKey.toLowerCase() } }),
  );
  await t.test('the same signature again', async () => {
    const sent = signed();
    assert.equal(await send(sent), 201);
    for (let i = 0; i < 3; i++) assert.equal(await send(sent), 403);
  });
  await attempt(
    'clocks that differ',
    () => signed({ timeMs: Date.now() - 360_000 }),
    () => signed({ timeMs: Date.now() + 360_000 }),
    () => signed({ timeMs: 0 }),
  );
  await attempt(
    'another body',
    () => ({ ...signed(), body: '{"description":"other"}' }),
    () => ({ ...signed(), body: '' }),
    () => ({ ...signed({ body: '' }), body: '{}' }),
  );
  await attempt('another body under a hash that fits it', () =>
    header({ ...signed(), body: '{}' }, 'x-amz-content-sha256', () => sha256('{}')),
  );
  await attempt(
    'another method, path or query',
    () => ({ ...signed(), method: 'PUT' }),
    () => ({ ...signed(), target: FUNCTIONS }),
    () => ({ ...signed(), target: `${KEYS}?a=b` }),
    () => ({ ...signed({ path: `${KEYS}?a=1&b=2` }), target: `${KEYS}?a=1&b=3` }),
  );
  await attempt(
    'a path that is the same once it is cleaned up',
    () => ({ ...signed(), target: `/x/..${FUNCTIONS}/../../_hearth/keys/.` }),
    () => ({ ...signed(), target: `/.//_hearth//keys/x/..` }),
  );
  await attempt(
    'signed headers that were changed',
    () => header(signed(), 'x-amz-date', () => writeTimestamp(Date.now() - 60_000)),
    () => header(signed(), 'host', () => 'other.example'),
    () => signed({ signedHost: 'other.example' }),
  );
  await attempt(
    'headers that mean something and are not signed',
    () => also(signed(), ['x-amz-invocation-type', 'Event']),
    () => also(signed(), ['X-Amz-Date', writeTimestamp(Date.now() - 30_000)]),
    () => also(signed(), ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD']),
  );
  await attempt(
    'a signature that leaves the host out',
    () => header(signed(), 'authorization', (value) => value.replace('host;', '')),
    () => header(signed(), 'authorization', (value) => value.replace(/SignedHeaders=[^,]+/, 'SignedHeaders=x-amz-date')),
  );
  await attempt(
    'two Authorization headers, the good one first or last',
    () =>
      also(signed(), [
        'Authorization',
        'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00',
      ]),
    () => {
      const sent = signed();
      return { ...sent, headers: [['authorization', 'Bearer x'], ...sent.headers] };
    },
  );
  await attempt(
    'another algorithm',
    ...['AWS4-HMAC-SHA512', 'AWS4-ECDSA-P256-SHA256', 'AWS4-HMAC-SHA1', 'aws4-hmac-sha256', 'AWS', 'Bearer', 'Basic', 'none'].map(
      (name) => () => header(signed(), 'authorization', (value) => value.replace('AWS4-HMAC-SHA256', name)),
    ),
  );
  await attempt(
    'a body signed in chunks, or not at all',
    ...['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'UNSIGNED-PAYLOAD', ''].map(
      (word) => () => header(signed(), 'x-amz-content-sha256', () => word),
    ),
  );
  await attempt(
    'the scope of another service, region or day',
    () => signed({ service: 's3' }),
    () => signed({ service: 'sts' }),
    () => signed({ region: 'eu-west-1' }),
    () => header(signed(), 'authorization', (value) => value.replace(/\/\d{8}\//, '/20200101/')),
    () => header(signed(), 'authorization', (value) => value.replace('aws4_request', 'aws5_request')),
  );
  await attempt(
    'signatures that are cut, padded, empty, or in other letters',
    ...[
      (hash: string) => hash.slice(0, 63),
      (hash: string) => `${hash}00`,
      () => '',
      (hash: string) => hash.toUpperCase(),
      () => '0'.repeat(64),
      () => '\xff'.repeat(64),
    ].map(
      (change) => () =>
        header(signed(), 'authorization', (value) => value.replace(/Signature=(\w+)/, (_, hash: string) => `Signature=${change(hash)}`)),
    ),
  );
  await attempt(
    'a URL that has expired, or is good for ever',
    () => presigned({ timeMs: Date.now() - 120_000 }),
    () => presigned({ expires: '0' }),
    () => presigned({ expires: '-1' }),
    () => presigned({ expires: '99999999' }),
    () => presigned({ timeMs: Date.now() + 3_600_000 }),
  );
  await attempt(
    'a URL with more or less in it than was signed',
    () => presigned({ more: '&description=x' }),
    () => presigned({ more: '&X-Amz-Expires=600' }),
    () => ({ ...presigned(), method: 'POST' }),
    () => ({ ...presigned(), target: presigned().target.replace('/keys', '/info') }),
    () => ({ ...presigned({ method: 'POST' }), body: '{"description":"stolen"}' }),
  );
  await attempt(
    'a good URL with a bad header, and a good header with a bad URL',
    () => also(presigned(), ['authorization', 'Bearer x']),
    () => {
      const sent = signed();
      return { ...sent, target: `${sent.target}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00` };
    },
  );
});

const environment = (key: Key) => ({ AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey });
