/** Functions that forge what their instances say to the host. They harm themselves, and nobody else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { footprint } from '../e2e/footprint.ts';
import { eventually, startIsolated, startNeighbour } from '../e2e/platform.ts';
import { USERS } from '../e2e/users.ts';
import type { User } from '../e2e/users.ts';
import { source } from './siege.ts';

const FORGER = source('forger.mjs');
const VIOLATIONS = [
  'other',
  'zero',
  'kind',
  'huge',
  'over',
  'invoke',
  'ready',
  'initError',
  'chunk',
  'end',
  'isOver',
  'goesOnTwice',
  'heads',
  'short',
  'error',
  'level',
  'random',
  'before',
  'after',
];
const forgedFrames = async (t: TestContext, user: User): Promise<void> => {
  const isolated = await startIsolated(t, undefined, user);
  if (!isolated) return;
  await isolated.create('forger', FORGER);
  // For what ends at its timeout, and for nothing that has to be in time.
  await isolated.create('hasty', FORGER, { Timeout: 1 });
  const url = await isolated.url('forger');
  const neighbour = await startNeighbour(isolated);
  const forge = (options: object, name = 'forger') => isolated.invoke(name, options);
  const atUrl = (options: object) =>
    fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(options) });
  const afterwards = async (name = 'forger') => {
    await isolated.healthy();
    assert.equal((await forge({}, name)).value, 'honest');
  };

  for (const violation of VIOLATIONS) {
    await t.test(`"${violation}" ends the instance`, async () => {
      const { error } = await forge({ forge: violation });
      assert.match(error?.errorType ?? '(answered)', /^Runtime\.ProtocolViolation$/);
      await afterwards();
    });
  }
  await t.test('whoever is never over is ended at its timeout, and is busy until then', async () => {
    await eventually(async () => assert.equal((await forge({ forge: 'goesOn' }, 'hasty')).value, 'honest'));
    await eventually(() => afterwards('hasty'));
    await eventually(async () => {
      const { stdout } = await isolated.platform.hearth(['logs', 'hasty', '--since', '10m']);
      assert.match(stdout, /Task timed out after 1\.00 seconds/);
    });
    await eventually(() => afterwards('hasty'));
  });
  await t.test('whoever answers twice is answered for once', async () => {
    for (let i = 0; i < 5; i++) {
      const { value, error } = await forge({ forge: 'twice' });
      assert.ok(value === 'forged' || error?.errorType === 'Runtime.ProtocolViolation', JSON.stringify(value));
    }
    // The second answer may meet the invocation after it, which then fails; never is it the answer to that one.
    await eventually(async () => assert.equal((await forge({})).value, 'honest'));
    await afterwards();
  });
  await t.test('what is of another type than it should be is text, or left out', async () => {
    await eventually(async () =>
      assert.deepEqual((await forge({ forge: 'types' })).error, { errorType: 'Error', errorMessage: '', trace: ['line'] }),
    );
    // The honest answer that followed may still meet the next invocation.
    await eventually(() => afterwards());
    assert.match((await forge({ forge: 'exit' })).error?.errorType ?? 'answered', /^(answered|Runtime\.ExitError)$/);
    await eventually(() => afterwards());
  });
  for (const silent of ['partial', 'silent', 'halfClosed', 'ownByte', 'ownFlood', 'ownInvocation']) {
    await t.test(`"${silent}" is ended at its timeout at the latest`, async () => {
      const { error } = await forge({ forge: silent }, 'hasty');
      // The pipe of its invocations is not even its own to open where the host is root.
      assert.match(error!.errorType, /^(Sandbox\.Timedout|Runtime\.ExitError|Error)$/);
      await eventually(() => afterwards('hasty'));
    });
  }
  await t.test('a frame may come byte by byte', async () => {
    assert.equal((await forge({ forge: 'torn' })).value, 'forged');
    await eventually(() => afterwards());
  });
  await t.test('a flood of frames and descriptors that nobody asked for is taken, and nothing of it is kept', async () => {
    const before = footprint(isolated.platform).descriptors;
    for (const flood of ['lines', 'descriptors', 'lines', 'descriptors']) {
      const { value, error } = await forge({ forge: flood }, 'hasty');
      assert.ok(value === 'honest' || error?.errorType === 'Sandbox.Timedout', JSON.stringify(value));
      await eventually(() => afterwards('hasty'));
    }
    await eventually(() => assert.equal(footprint(isolated.platform).descriptors['/dev/null'] ?? 0, before['/dev/null'] ?? 0));
  });
  const PRELUDES = [
    { contentType: 'a\r\nb: c' },
    { contentType: 'text/plain', prelude: { statusCode: 1e9 } },
    { contentType: 'text/plain', prelude: { statusCode: 99 } },
    { contentType: 'text/plain', prelude: { headers: { 'a b': 'c', 'x\n': 'y', ok: 'a\u0000b', é: 'ü' } } },
    { contentType: 'text/plain', prelude: { headers: { 'transfer-encoding': 'chunked', 'content-length': '1', connection: 'upgrade' } } },
    { contentType: 'text/plain', prelude: { cookies: ['a=b\r\nset-cookie: c=d'] } },
    { contentType: 'text/plain', prelude: { statusCode: 204, headers: JSON.parse('{"__proto__":"x","constructor":"y"}') as object } },
  ];
  for (const prelude of PRELUDES) {
    await t.test(`a streamed answer that begins with ${JSON.stringify(prelude)} is an answer or an error`, async () => {
      const response = await atUrl({ forge: 'prelude', prelude });
      assert.ok([200, 204, 502].includes(response.status), String(response.status));
      assert.equal(response.headers.get('b') ?? response.headers.get('set-cookie'), null);
      await response.text().catch(() => undefined);
      await eventually(() => afterwards());
    });
  }
  const TEXTS = [
    'not JSON',
    '',
    '{"statusCode":"x"}',
    '{"statusCode":1e9,"body":1}',
    '{"statusCode":200,"headers":{"a\\nb":"c\\r\\nd"}}',
    '{"statusCode":200,"cookies":["a\\r\\nb"]}',
    '{"statusCode":200,"isBase64Encoded":true,"body":"*"}',
    '[',
    '['.repeat(100_000),
    '{"statusCode":200,"headers":{"a":{"toString":1},"b":[{"toString":1}]}}',
  ];
  for (const text of TEXTS) {
    await t.test(`the answer ${text.slice(0, 60)} at a URL is an answer or an error`, async () => {
      const response = await atUrl({ forge: 'raw', text });
      assert.ok([200, 502].includes(response.status), String(response.status));
      await response.text();
      await eventually(() => afterwards());
    });
  }
  await neighbour.stop();
};

for (const user of USERS) {
  test(`forged frames on the descriptor of an instance, the platform being run by ${user}`, { timeout: 300_000 }, (t) =>
    forgedFrames(t, user),
  );
}
