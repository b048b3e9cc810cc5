/** The control APIs without --auth: what web pages may not do, and names and documents that mean something else than they say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startIsolated, startNeighbour } from '../e2e/platform.ts';
import { attacking } from './siege.ts';
import { wire } from './wire.ts';

const FUNCTIONS = '/2015-03-31/functions';
const ROLE = 'arn:aws:iam::000000000000:role/any';

test('the control APIs', { timeout: 300_000 }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  const { host, port } = new URL(platform.url);
  await isolated.create('target', `export const handler = async (event) => event;`);
  const url = await isolated.url('target');
  const neighbour = await startNeighbour(isolated);
  const names = async () => {
    const { Functions } = (await (await fetch(`${platform.url}${FUNCTIONS}`)).json()) as { Functions: { FunctionName: string }[] };
    return Functions.map(({ FunctionName }) => FunctionName);
  };
  const before = await names();
  const attempt = attacking(t, isolated, neighbour, async () => assert.deepEqual(await names(), before));
  const raw = async (method: string, target: string, headers: Readonly<Record<string, string>> = {}, body = '') => {
    const client = wire(platform.url);
    const all = { host, ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    client.send(Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`));
    const [answer] = await client.closed();
    assert.ok(answer, `${method} ${target} is answered`);
    return answer;
  };
  /** What a page would do: make a function, read them all, make a key, delete one. */
  const all = async (headers: Readonly<Record<string, string>>): Promise<void> => {
    const tries = [
      ['POST', FUNCTIONS],
      ['GET', FUNCTIONS],
      ['POST', '/_hearth/keys'],
      ['GET', '/_hearth/info'],
      ['DELETE', `${FUNCTIONS}/target`],
      ['PUT', `${FUNCTIONS}/target/code`],
    ] as const;
    for (const [method, target] of tries) {
      const { status, head, body } = await raw(method, target, headers, method === 'GET' ? '' : '{}');
      assert.equal(status, 403, `${method} ${target} ${JSON.stringify(headers)} ${body}`);
      assert.ok(!/^access-control-/im.test(head), head);
    }
  };

  await attempt('names that were pointed at this machine', async () => {
    for (const name of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '127.0.0.1@evil.example',
      '0.0.0.0',
      '2130706433',
      '[::ffff:8.8.8.8]',
      'evillocalhost',
    ])
      await all({ host: name });
  });
  await attempt('pages from elsewhere', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      'file://',
      'http://localhost.evil.example',
      'http://evil.localhost',
      'http://127.0.0.1.evil.example',
      'chrome-extension://x',
      '',
    ])
      await all({ origin });
    for (const mode of ['cors', 'no-cors']) await all({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode });
  });
  await attempt('pages that functions serve below the same address', async () => {
    for (const origin of [platform.url, `http://localhost:${port}`, `http://[::1]:${port}`]) await all({ origin });
    for (const mode of ['cors', 'no-cors', 'same-origin', 'navigate'])
      await all({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': mode, referer: url });
    const id = new URL(url).pathname.split('/')[2]!;
    await all({ origin: `http://${id}.lambda-url.us-east-1.localhost:${port}` });
  });
  await attempt('preflight requests', async () => {
    for (const target of [FUNCTIONS, '/_hearth/keys']) {
      const { status, head } = await raw('OPTIONS', target, { origin: 'https://evil.example', 'access-control-request-method': 'DELETE' });
      assert.ok(status >= 400 && !/^access-control-/im.test(head), head);
    }
  });
  await attempt('paths that climb, or hide where they lead', async () => {
    const targets = [
      '/2015-03-31/functions/../../_hearth/keys',
      '/2015-03-31/functions/..%2f..%2f_hearth%2fkeys',
      '/2015-03-31/functions/%2e%2e/target',
      '/2015-03-31/packages/..%2f..%2fstore.db',
      `/2015-03-31/packages/${'0'.repeat(64)}`,
      '/_hearth/functions/..%2f..%2fsealing.key/logs',
      '/_hearth/functions/%00/logs',
      '/_hearth/functions/target%2f..%2fneighbour/logs',
      '/_hearth/../etc/passwd',
      '/_url/../2015-03-31/functions/target',
      '/_url/%2e%2e/x',
      '//2015-03-31/functions/target',
      '/2015-03-31/functions/target%00',
      '/2015-03-31/functions/%',
      '/2015-03-31/functions/%c0%ae%c0%ae',
    ];
    for (const target of targets) {
      const { status, body } = await raw('GET', target);
      assert.ok(status >= 400 && status < 500, `${target}: ${status} ${body}`);
    }
  });
  await attempt('names and qualifiers that are none', async () => {
    const bad = [
      '../x',
      'a/b',
      'a b',
      'a\nb',
      'ä',
      '.',
      '..',
      'a:b:c:d',
      'x'.repeat(200),
      '$LATEST',
      'arn:aws:lambda:us-east-1:999999999999:function:../x',
    ];
    for (const name of bad) {
      const { status } = await raw(
        'POST',
        FUNCTIONS,
        {},
        JSON.stringify({ FunctionName: name, Runtime: 'nodejs22.x', Handler: 'i.h', Role: ROLE, Code: { ZipFile: 'UEs=' } }),
      );
      assert.ok(status >= 400 && status < 500, name);
      if (name === '$LATEST') continue;
      const invoked = await raw('POST', `${FUNCTIONS}/target/invocations?Qualifier=${encodeURIComponent(name)}`, {}, '{}');
      assert.ok(invoked.status >= 400 && invoked.status < 500, name);
    }
  });
  await attempt('members of prototypes in documents', async () => {
    const evil = '{"__proto__":{"FunctionName":"p","polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    for (const [method, target] of [
      ['POST', FUNCTIONS],
      ['PUT', `${FUNCTIONS}/target/configuration`],
      ['POST', '/_hearth/keys'],
      ['POST', '/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:target'],
    ] as const)
      await raw(method, target, {}, evil);
    await raw(
      'POST',
      '/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:target',
      {},
      '{"Tags":{"__proto__":"x","constructor":"y","toString":"z"}}',
    );
    await raw('PUT', `${FUNCTIONS}/target/configuration`, {}, '{"Environment":{"Variables":{"__proto__":"x","constructor":"y"}}}');
    const shown = (await (await fetch(`${platform.url}${FUNCTIONS}/target`)).json()) as Record<string, unknown>;
    assert.ok(!JSON.stringify(shown).includes('polluted'));
    const echoed = await raw('POST', `${FUNCTIONS}/target/invocations`, {}, evil);
    assert.deepEqual(JSON.parse(echoed.body), JSON.parse(evil), 'an event comes as it is');
    const { value } = await isolated.invoke('neighbour', { n: 4 });
    assert.deepEqual(value, { twice: 8, pid: true, name: 'neighbour' });
  });
  await attempt('documents that nest deep, are large, are none, or are no UTF-8', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const deepObject = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const wide = `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":1`).join(',')}}`;
    for (const body of [
      deep,
      deepObject,
      wide,
      '{"a":1}{"b":2}',
      '{"a":',
      'null',
      '[]',
      '"x"',
      '{"a":1e999999}',
      `{"a":${'9'.repeat(100_000)}}`,
    ])
      for (const target of [FUNCTIONS, '/_hearth/keys']) {
        const { status } = await raw('POST', target, {}, body);
        assert.ok(status === 201 || (status >= 400 && status < 500), `${target} ${body.slice(0, 50)} ${status}`);
      }
    for (const body of [deep, '{"a":', '\xff']) {
      const answer = await fetch(`${platform.url}${FUNCTIONS}/target/invocations`, { method: 'POST', body: Buffer.from(body, 'latin1') });
      assert.equal(answer.status, 400);
    }
  });
  await attempt('queries and functions named like members of prototypes', async () => {
    const query = Array.from({ length: 3_000 }, (_, i) => `a${i}=b`).join('&');
    assert.ok((await raw('GET', `${FUNCTIONS}?${query}`)).status < 500);
    assert.equal((await raw('GET', `${FUNCTIONS}?${'x'.repeat(40_000)}`)).status, 431);
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      assert.equal((await raw('GET', `${FUNCTIONS}/${name}`)).status, 404);
      await isolated.create(name, `export const handler = async () => process.env.AWS_LAMBDA_FUNCTION_NAME;`);
      assert.equal((await isolated.invoke(name)).value, name);
      await isolated.remove(name);
    }
  });
  await attempt('a body without end after a refusal', async () => {
    const client = wire(platform.url);
    client.send(`POST /_hearth/keys HTTP/1.1\r\nhost: ${host}\r\norigin: https://evil.example\r\ncontent-length: 999999999999\r\n\r\n`);
    assert.equal((await client.until(1))[0]!.status, 403);
    const chunk = Buffer.alloc(1024 * 1024);
    let sent = 0;
    while (!client.socket.destroyed && sent < 1_000) {
      sent++;
      client.socket.write(chunk);
      while (client.socket.writableNeedDrain && !client.socket.destroyed) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(sent < 1_000, 'it is not read for ever');
  });
});
