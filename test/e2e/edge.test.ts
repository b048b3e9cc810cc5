/** Edge modules behind function URLs, asked by real clients. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { CreateFunctionUrlConfigCommand } from '@aws-sdk/client-lambda';
import type { InvokeMode } from '@aws-sdk/client-lambda';
import { closeAfter } from '../closing.ts';
import { startPlatform } from './cli-platform.ts';
import { connect, eventually, layBesideCode, startIsolated } from './platform.ts';
import type { Isolated } from './platform.ts';

const MODULE = `
import { existsSync } from 'node:fs';
const encoder = new TextEncoder();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// Init may use all of it; what it leaves in Node's own pools must be of no harm to forks.
const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
const early = await fetch('data:text/plain,early').then((response) => response.text());
const route = new URLPattern({ pathname: '/items/:id' });
let later = 0;
const routes = {
  '/echo': (request) => new Response(request.body, { headers: { 'content-type': request.headers.get('content-type'), 'x-url': request.url, 'x-method': request.method } }),
  '/cookies': (request) => new Response(request.headers.get('cookie'), { headers: [['set-cookie', 'a=1; Path=/'], ['set-cookie', 'b=2']] }),
  // The second part waits for somebody to say that the first has come.
  '/stream': () => {
    let n = 0;
    const next = async () => { while (n === 1 && !existsSync(process.env.LAMBDA_TASK_ROOT + '/heard')) await sleep(5); };
    const body = new ReadableStream({ async pull(c) { await next(); if (++n > 3) c.close(); else c.enqueue(encoder.encode('part ' + n + ';')); } });
    return new Response(body.pipeThrough(new TransformStream()), { headers: { 'content-type': 'text/event-stream' } });
  },
  '/breaks': () => new Response(new ReadableStream({ async start(c) { c.enqueue(encoder.encode('begun')); await sleep(200); c.error(new Error('cut')); } })),
  '/breaks-at-once': () => new Response(new ReadableStream({ start(c) { c.error(new Error('cut')); } })),
  '/large': () => new Response(new Uint8Array(2_000_000).fill(65)),
  '/gzip': () => new Response(new Blob(['zipped '.repeat(1000)]).stream().pipeThrough(new CompressionStream('gzip')), { headers: { 'content-encoding': 'gzip' } }),
  '/redirect': (request) => Response.redirect(new URL('/echo', request.url), 303),
  '/none': () => new Response(null, { status: 204 }),
  '/unchanged': () => new Response(null, { status: 304, headers: { etag: '"e"' } }),
  '/throws': () => { throw new TypeError('thrown'); },
  '/nothing': () => undefined,
  '/used': async () => { const response = new Response('x'); await response.text(); return response; },
  '/later': (request, env, ctx) => { ctx.waitUntil(sleep(300).then(() => { later++; console.log('done later'); })); return Response.json({ later, pid: process.pid }); },
  '/rejects': (request, env, ctx) => { ctx.waitUntil(Promise.reject(new RangeError('unheard'))); return Response.json({ pid: process.pid }); },
  '/too-late': (request, env, ctx) => { ctx.waitUntil(sleep(60_000)); return Response.json({ pid: process.pid }); },
  '/web': async (request, env) => {
    const bytes = encoder.encode('message');
    const verified = await crypto.subtle.verify('HMAC', key, await crypto.subtle.sign('HMAC', key, bytes), bytes);
    const { id } = route.exec(request.url.replace('/web', '/items/7')).pathname.groups;
    const fetched = await fetch('data:,now').then((response) => response.text());
    const signal = AbortSignal.timeout(5);
    await sleep(50);
    const aborted = signal.reason?.name;
    const form = await new Response(new URLSearchParams({ a: 'ü' })).formData();
    return Response.json({ verified, id, early, fetched, aborted, form: form.get('a'), clone: structuredClone(new Map([[1, 2]])).get(1), env });
  },
};
export default { fetch(request, env, ctx) { return (routes[new URL(request.url).pathname] ?? (() => new Response('nowhere', { status: 404 })))(request, env, ctx); } };
`;

type Base = { readonly isolated: Isolated; readonly url: string };

async function deployed(t: TestContext, args: readonly string[], InvokeMode: InvokeMode): Promise<Base> {
  const isolated = connect(t, await startPlatform(t, args));
  return { isolated, url: await deploy(isolated, { name: 'edge', Timeout: 20, InvokeMode }) };
}

type Deployed = { readonly name: string; readonly Timeout: number; readonly InvokeMode: InvokeMode };

async function deploy({ client, create, platform }: Isolated, { name, Timeout, InvokeMode }: Deployed): Promise<string> {
  await create(name, MODULE, { Handler: 'index.default', Timeout, Environment: { Variables: { COLOUR: 'red' } } });
  const { FunctionUrl } = await client.send(new CreateFunctionUrlConfigCommand({ FunctionName: name, AuthType: 'NONE', InvokeMode }));
  return `${platform.url}/_url/${new URL(FunctionUrl!).hostname.split('.')[0]}`;
}

async function ask(url: string, method = 'GET', headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const sent = request(url, { method, headers, agent: false });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return answer;
}

for (const [driver, mode] of [
  ['auto', 'BUFFERED'],
  ['auto', 'RESPONSE_STREAM'],
  ['spawn', 'BUFFERED'],
] as const) {
  test(`an edge module answers at its URL, --driver ${driver}, ${mode}`, async (t) => {
    const { isolated, url } = await deployed(t, ['--driver', driver], mode);

    await t.test('bodies, headers and the URL arrive as they were sent, and come back', async () => {
      const bytes = new Uint8Array(100_000).map((_, i) => i * 7);
      for (const [type, body] of [
        ['application/octet-stream', bytes],
        ['text/plain; charset=utf-8', new TextEncoder().encode('Grüße 😀\r\n\0')],
      ] as const) {
        const answer = await fetch(`${url}/echo?a=%2F&a=2+3`, { method: 'PUT', body, headers: { 'content-type': type } });
        assert.deepEqual([answer.status, answer.headers.get('content-type'), answer.headers.get('x-method')], [200, type, 'PUT']);
        assert.equal(answer.headers.get('x-url'), `${new URL(url).origin}/echo?a=%2F&a=2+3`);
        assert.deepEqual(await answer.bytes(), body);
      }
    });

    await t.test('several cookies come and go', async () => {
      const answer = await fetch(`${url}/cookies`, { headers: { cookie: 'x=1; y="2"' } });
      assert.equal(await answer.text(), 'x=1; y="2"');
      assert.deepEqual(answer.headers.getSetCookie(), ['a=1; Path=/', 'b=2']);
    });

    await t.test('answers without a body, and redirects', async () => {
      const redirect = await fetch(`${url}/redirect`, { redirect: 'manual' });
      assert.deepEqual([redirect.status, redirect.headers.get('location')], [303, `${new URL(url).origin}/echo`]);
      const none = await ask(`${url}/none`);
      assert.deepEqual([none.statusCode, none.headers['content-type'], await text(none)], [204, undefined, '']);
      const unchanged = await ask(`${url}/unchanged`);
      assert.deepEqual([unchanged.statusCode, unchanged.headers['etag'], await text(unchanged)], [304, '"e"', '']);
      const head = await ask(`${url}/large`, 'HEAD');
      assert.deepEqual([head.statusCode, await text(head)], [200, '']);
      const headOfStream = await ask(`${url}/stream`, 'HEAD');
      assert.deepEqual([headOfStream.headers['content-type'], await text(headOfStream)], ['text/event-stream', '']);
    });

    await t.test('bodies that take their time, large ones and compressed ones come whole', async () => {
      const hear = () => layBesideCode(isolated.platform, 'heard');
      if (mode === 'BUFFERED') hear();
      const stream = await ask(`${url}/stream`);
      assert.equal(stream.headers['content-type'], 'text/event-stream');
      let came = '';
      for await (const part of stream) if ((came += String(part)) === 'part 1;') hear();
      assert.equal(came, 'part 1;part 2;part 3;');
      assert.ok((await buffer(await ask(`${url}/large`))).equals(Buffer.alloc(2_000_000, 65)));
      assert.equal(await (await fetch(`${url}/gzip`)).text(), 'zipped '.repeat(1000));
    });

    await t.test('what fails is answered as any failed handler is', async () => {
      for (const path of ['/throws', '/nothing', '/used', '/breaks-at-once']) {
        const answer = await fetch(url + path);
        assert.deepEqual([path, answer.status, await answer.json()], [path, 502, { message: 'Internal Server Error' }]);
      }
      if (mode === 'BUFFERED') {
        assert.equal((await fetch(`${url}/breaks`)).status, 502);
        return;
      }
      const broken = await ask(`${url}/breaks`);
      assert.equal(broken.statusCode, 200);
      let begun = '';
      await assert.rejects(
        async () => {
          for await (const part of broken) begun += String(part);
        },
        { code: 'ECONNRESET' },
      );
      assert.equal(begun, 'begun');
    });

    await t.test('what waitUntil is given goes on after the answer, and its instance takes nothing else meanwhile', async () => {
      const first = (await (await fetch(`${url}/later`)).json()) as { later: number; pid: number };
      const logged = () => isolated.platform.hearth(['logs', 'edge', '--since', '10m']).then(({ stdout }) => stdout);
      await eventually(async () => assert.match(await logged(), /done later/));
      await eventually(async () => {
        // The instance that was used last is used first.
        const next = (await (await fetch(`${url}/later`)).json()) as { later: number; pid: number };
        assert.ok(next.later > 0, `${next.pid} after ${first.pid}`);
      });
      assert.equal((await fetch(`${url}/rejects`)).status, 200);
      await eventually(async () => assert.match(await logged(), /waitUntil Error[^]*unheard/));
    });

    await t.test('beyond the timeout the instance is ended, and the log says so', async () => {
      const hasty = await deploy(isolated, { name: 'hasty', Timeout: 5, InvokeMode: mode });
      assert.equal((await fetch(`${hasty}/too-late`)).status, 200);
      await eventually(async () => {
        const { stdout } = await isolated.platform.hearth(['logs', 'hasty', '--since', '10m']);
        assert.match(stdout, /Task timed out after 5\.00 seconds/);
      });
      assert.equal((await fetch(`${hasty}/cookies`)).status, 200);
    });

    await t.test("the web's interfaces are there, in init and in forks", async () => {
      const expected = {
        verified: true,
        id: '7',
        early: 'early',
        fetched: 'now',
        aborted: 'TimeoutError',
        form: 'ü',
        clone: 2,
        env: { COLOUR: 'red' },
      };
      const answers = await Promise.all(Array.from({ length: 4 }, () => fetch(`${url}/web`).then((answer) => answer.json())));
      for (const answer of answers) assert.deepEqual(answer, expected);
    });

    await t.test('an event that is no request is an error that says so', async () => {
      const { error } = await isolated.invoke('edge', { name: 'Ada' });
      assert.equal(error?.errorType, 'Runtime.NotAnHttpEvent');
      const { value } = await isolated.invoke('edge', {
        rawPath: '/cookies',
        headers: { cookie: 'c' },
        requestContext: { http: { method: 'GET' } },
      });
      assert.equal((value as { body: string }).body, 'c');
    });
    await isolated.healthy();
  });
}

test('an edge module passes requests on to another server and its answers back, in forks that share one init', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  // An address that no proxy setting leaves out.
  const server = createServer((received, response) => {
    void text(received).then((body) => {
      response.writeHead(201, { 'content-encoding': 'gzip', 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] });
      response.end(gzipSync(`${received.method} ${received.url} ${String(received.headers['x-own'])} ${body}`));
    });
  });
  server.listen(0, '127.0.0.2');
  await once(server, 'listening');
  closeAfter(t, () => server.close());
  const host = `127.0.0.2:${(server.address() as AddressInfo).port}`;
  const source = `const made = await new Response('in init').text();
    export default { async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const onward = new Request('http://${host}' + pathname + search, request);
      onward.headers.set('x-own', made);
      const answer = await fetch(onward);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return answer;
    } };`;
  await isolated.create('onward', source, { Handler: 'index', Timeout: 20, Tags: { 'hearth:network': host } });
  const url = await isolated.url('onward');
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all([1, 2, 3].map((n) => fetch(`${url}/p/${n}?q=%2F`, { method: 'POST', body: `body ${n}` })));
    for (const [i, answer] of answers.entries()) {
      assert.equal(await answer.text(), `POST /p/${i + 1}?q=%2F in init body ${i + 1}`);
      assert.deepEqual([answer.status, answer.headers.get('content-encoding')], [201, null]);
      assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2']);
    }
  }
});
