/** Edge modules in a real process: `export default { fetch }`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { initErrorOf, invoke as invokeOn, run } from './node-function.ts';
import type { FunctionUnderTest } from './node-function.ts';

type Whole = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly body: string;
  readonly isBase64Encoded: boolean;
};

/** Long enough that what was there at once has gone out. */
const TURNS = `const turns = async () => { for (let i = 0; i < 3; i++) await new Promise(setImmediate); };\n`;

/** `body`: of `fetch(request, env, ctx)`. */
const edge = (t: TestContext, body: string, more: Partial<FunctionUnderTest> = {}) =>
  run(t, { files: { 'index.mjs': `${TURNS}export default { async fetch(request, env, ctx) {${body}} };` }, handler: 'index', ...more });

/** As a function URL has it. */
function urlEvent(more: { readonly method?: string; readonly path?: string; readonly query?: string } & Record<string, unknown> = {}) {
  const { method = 'GET', path = '/', query = '', ...rest } = more;
  return {
    version: '2.0',
    rawPath: path,
    rawQueryString: query,
    headers: { host: 'id.lambda-url.us-east-1.localhost:4566', 'x-forwarded-proto': 'http' },
    requestContext: { domainName: 'id.lambda-url.us-east-1.localhost', http: { method, path, protocol: 'HTTP/1.1' } },
    isBase64Encoded: false,
    ...rest,
  };
}

test('a request arrives as it was sent, and a response that is there at once is one answer', async (t) => {
  const { invoke, template } = await edge(
    t,
    `return Response.json({
      method: request.method, url: request.url, agent: request.headers.get('user-agent'), cookie: request.headers.get('cookie'),
      body: await request.text(), env, same: request instanceof Request && !request.signal.aborted }, { status: 201, headers: { 'x-a': 'b' } });`,
    { environment: { COLOUR: 'red', AWS_REGION: 'eu-west-1', TZ: 'UTC' } },
  );
  assert.equal(template.streaming, true);
  assert.deepEqual(template.blockers, []);
  const event = urlEvent({
    method: 'POST',
    path: '/a%20b//c',
    query: 'q=%2F&q=1+2&empty',
    body: 'Grüße',
    headers: { host: 'shop.example:8443', 'x-forwarded-proto': 'https', 'user-agent': 'me' },
    cookies: ['a=1', 'b=2'],
  });
  const { end, value } = await invoke(event);
  assert.equal(end, 'answered');
  const { body, ...head } = value as Whole;
  assert.deepEqual(head, {
    statusCode: 201,
    headers: { 'content-type': 'application/json', 'x-a': 'b' },
    cookies: [],
    isBase64Encoded: false,
  });
  assert.deepEqual(JSON.parse(body), {
    method: 'POST',
    url: 'https://shop.example:8443/a%20b//c?q=%2F&q=1+2&empty',
    agent: 'me',
    cookie: 'a=1; b=2',
    body: 'Grüße',
    env: { COLOUR: 'red' },
    same: true,
  });
});

test('the module is found by its file, by the name of its export, in CommonJS and in a class', async (t) => {
  const fetch = `fetch() { return new Response(this.name); }`;
  for (const [name, files, handler] of [
    ['default', { 'index.mjs': `export default { name: 'default', ${fetch} };` }, 'index.default'],
    ['file', { 'index.mjs': `export default { name: 'file', ${fetch} };` }, 'index'],
    ['folder', { 'src/app.mjs': `export default { name: 'folder', ${fetch} };` }, 'src/app'],
    ['named', { 'index.mjs': `export const app = { name: 'named', ${fetch} };` }, 'index.app'],
    ['commonjs', { 'index.cjs': `module.exports = { name: 'commonjs', ${fetch} };` }, 'index'],
    ['bundled', { 'index.cjs': `exports.default = { name: 'bundled', ${fetch} };` }, 'index.default'],
    ['class', { 'index.mjs': `class App { name = 'class'; ${fetch} }\nexport default new App();` }, 'index'],
    ['typed', { 'index.ts': `export default { name: 'typed' as string, ${fetch} };` }, 'index'],
  ] as const) {
    const { invoke } = await run(t, { files, handler });
    assert.equal(((await invoke(urlEvent())).value as Whole).body, name);
  }
  const plain = { 'index.mjs': `export default async function fetch(event) { return event.n; }` };
  assert.equal((await (await run(t, { files: plain, handler: 'index.default' })).invoke({ n: 7 })).value, 7);
  for (const bad of ['index', 'nowhere', 'node_modules'])
    assert.equal((await initErrorOf(t, plain, bad)).errorType, 'Runtime.MalformedHandlerName', bad);
  const broken = { 'index.mjs': `import 'nowhere'; export default { ${fetch} };` };
  assert.equal((await initErrorOf(t, broken, 'index')).errorType, 'Runtime.ImportModuleError');
  assert.equal(
    (await initErrorOf(t, { 'index.mjs': 'export default { fetch: 1 };' }, 'index.default')).errorType,
    'Runtime.HandlerNotFound',
  );
});

test('bytes, several cookies, redirects and answers without a body are passed on as they are', async (t) => {
  const { invoke } = await edge(
    t,
    `switch (new URL(request.url).pathname) {
      case '/bytes': return new Response(await request.bytes());
      case '/cookies': { const h = new Headers({ 'x-b': 'c' }); h.append('set-cookie', 'a=1, 2'); h.append('set-cookie', 'b=2'); return new Response('x', { headers: h }); }
      case '/redirect': return Response.redirect('http://example.com/there', 307);
      case '/none': return new Response(null, { status: 204 });
      case '/unchanged': return new Response(null, { status: 304, headers: { etag: '"1"' } });
      default: return new Response('text');
    }`,
  );
  const ask = async (path: string, more = {}) => (await invoke(urlEvent({ path, ...more }))).value as Whole;
  const bytes = Buffer.from([0, 255, 128, 13, 10, 0]);
  const echoed = await ask('/bytes', { method: 'POST', body: bytes.toString('base64'), isBase64Encoded: true });
  assert.deepEqual([echoed.body, echoed.isBase64Encoded, echoed.headers], [bytes.toString('base64'), true, { 'content-type': '' }]);
  const { cookies, headers } = await ask('/cookies');
  assert.deepEqual([cookies, headers], [['a=1, 2', 'b=2'], { 'content-type': 'text/plain;charset=UTF-8', 'x-b': 'c' }]);
  const redirect = await ask('/redirect');
  assert.deepEqual([redirect.statusCode, redirect.headers['location'], redirect.body], [307, 'http://example.com/there', '']);
  assert.deepEqual([(await ask('/none')).statusCode, (await ask('/none')).body], [204, '']);
  assert.deepEqual([(await ask('/unchanged')).statusCode, (await ask('/unchanged')).headers['etag']], [304, '"1"']);
  assert.equal((await ask('/', { method: 'HEAD' })).body, 'text');
  assert.equal((await ask('/', { method: 'GET', body: 'a body that a GET cannot have' })).body, 'text');
});

test('a body that is still being made is streamed, chunk by chunk, and a large one in chunks', async (t) => {
  const { invoke, instance } = await edge(
    t,
    `if (request.url.endsWith('large')) return new Response(new Uint8Array(3_000_000).fill(7));
    const encoder = new TextEncoder();
    return new Response(new ReadableStream({ async start(c) {
      c.enqueue(encoder.encode('one')); await turns(); c.enqueue(encoder.encode('two')); c.close();
    } }), { status: 202, headers: { 'content-type': 'text/event-stream', 'set-cookie': 'a=1' } });`,
  );
  const invoked = invokeOn(instance, urlEvent());
  const atFirst = new Promise<string>((resolve) => {
    invoked.onChunk = () => resolve(Buffer.concat(invoked.chunks).toString());
  });
  assert.equal(await atFirst, 'one');
  const { end, head, body } = await invoked.answer;
  assert.deepEqual([end, body.toString()], ['streamed', 'onetwo']);
  assert.deepEqual(head, {
    contentType: '',
    prelude: { statusCode: 202, headers: { 'content-type': 'text/event-stream' }, cookies: ['a=1'] },
  });
  const large = await invoke(urlEvent({ path: '/large' }));
  assert.deepEqual([large.end, large.body.length, large.body.every((byte) => byte === 7)], ['streamed', 3_000_000, true]);
});

test('a HEAD request is answered without waiting for a body that is being made', async (t) => {
  const { invoke } = await edge(
    t,
    `return new Response(new ReadableStream({ pull() { return new Promise(() => {}); }, cancel() { console.log('cancelled'); } }), { headers: { 'x-a': 'b' } });`,
  );
  const { end, head, body, logs } = await invoke(urlEvent({ method: 'HEAD' }));
  assert.deepEqual([end, head?.prelude?.headers?.['x-a'], body.length], ['streamed', 'b', 0]);
  assert.match(logs.join('\n'), /cancelled/);
});

test('what cannot be an answer is an error that says why', async (t) => {
  const { invoke } = await edge(
    t,
    `const used = new Response('x'); await used.text();
    const locked = new Response('x'); locked.body.getReader();
    switch (new URL(request.url).pathname) {
      case '/used': return used;
      case '/locked': return locked;
      case '/text': return 'text';
      case '/nothing': return;
      case '/object': return { statusCode: 200 };
      case '/error': return Response.error();
      case '/strings': return new Response(new ReadableStream({ start(c) { c.enqueue('text'); c.close(); } }));
      case '/throws': throw new RangeError('out of range');
      case '/undefined': throw undefined;
      case '/never': return new Promise(() => {});
    }`,
  );
  for (const [path, type, message] of [
    ['/used', 'Runtime.InvalidResponse', /has been used already/],
    ['/locked', 'Runtime.InvalidResponse', /has been used already/],
    ['/text', 'Runtime.InvalidResponse', /with a Response, and this is a string$/],
    ['/nothing', 'Runtime.InvalidResponse', /this is undefined$/],
    ['/object', 'Runtime.InvalidResponse', /an object of Object$/],
    ['/error', 'Runtime.InvalidResponse', /the status 0/],
    ['/strings', 'TypeError', /Uint8Array chunks, and one of them is a string/],
    ['/throws', 'RangeError', /^out of range$/],
    ['/undefined', 'string', /^handled$/],
    ['/never', 'Runtime.NodeJsExit', /never settled/],
  ] as const) {
    const { end, error } = await invoke(urlEvent({ path }));
    assert.deepEqual([path, end, error?.errorType], [path, 'failed', type]);
    assert.match(error!.errorMessage, message);
  }
});

test('a body that breaks off after its beginning breaks the stream off, one before it is an error', async (t) => {
  const { invoke } = await edge(
    t,
    `const late = request.url.endsWith('late');
    return new Response(new ReadableStream({ async start(c) {
      c.enqueue(new Uint8Array(3)); if (late) await turns(); c.error(new Error('cut'));
    } }));`,
  );
  const early = await invoke(urlEvent({ path: '/early' }));
  assert.deepEqual([early.end, early.error?.errorMessage], ['failed', 'cut']);
  const late = await invoke(urlEvent({ path: '/late' }));
  assert.deepEqual([late.end, late.error?.errorMessage, late.body.length], ['streamed', 'cut', 3]);
});

test('an event that is no request, and a request that there cannot be, are errors', async (t) => {
  const { invoke } = await edge(t, `return new Response(request.url);`);
  for (const event of [{}, null, [], 'text', { name: 'Ada' }, { Records: [] }]) {
    const { end, error } = await invoke(event);
    assert.deepEqual([end, error?.errorType], ['failed', 'Runtime.NotAnHttpEvent']);
  }
  assert.match((await invoke(urlEvent({ method: 'TRACE' }))).error!.errorMessage, /TRACE/);
  assert.equal((await invoke(urlEvent({ headers: { 'a b': 'c' } }))).error?.errorType, 'TypeError');
  assert.equal(((await invoke(urlEvent())).value as Whole).body, 'http://id.lambda-url.us-east-1.localhost:4566/');
});

test('events of format 1.0, and those of load balancers, are answered in their own format', async (t) => {
  const { invoke } = await edge(
    t,
    `return new Response(request.method + ' ' + request.url + ' ' + request.headers.get('x-a'), { headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] });`,
  );
  const rest = await invoke({
    httpMethod: 'PUT',
    path: '/p',
    headers: { 'x-a': '2' },
    multiValueHeaders: { host: ['api.example'], 'x-a': ['1', '2'] },
    queryStringParameters: { q: 'ü &' },
    multiValueQueryStringParameters: { q: ['1', 'ü &'] },
    requestContext: { stage: 'prod' },
  });
  assert.deepEqual(rest.value, {
    statusCode: 200,
    multiValueHeaders: { 'content-type': ['text/plain;charset=UTF-8'], 'set-cookie': ['a=1', 'b=2'] },
    body: 'PUT http://api.example/p?q=1&q=%C3%BC%20%26 1, 2',
    isBase64Encoded: false,
  });
  const balancer = await invoke({
    httpMethod: 'GET',
    path: '/p',
    headers: { host: 'lb.example', 'x-forwarded-proto': 'https' },
    queryStringParameters: { q: '%C3%BC+1' },
    requestContext: { elb: { targetGroupArn: 'arn' } },
  });
  assert.deepEqual(balancer.value, {
    statusCode: 200,
    headers: { 'content-type': 'text/plain;charset=UTF-8', 'set-cookie': 'b=2' },
    body: 'GET https://lb.example/p?q=%C3%BC+1 null',
    isBase64Encoded: false,
  });
});

test('what one request does to env is not there for the next', async (t) => {
  const { invoke } = await edge(t, `const before = env.A; env.A = 'changed'; return new Response(before);`, { environment: { A: 'own' } });
  for (let n = 0; n < 2; n++) assert.equal(((await invoke(urlEvent())).value as Whole).body, 'own');
});

test('an application of a framework for the edge answers as it is', async (t) => {
  const { invoke } = await run(t, {
    files: {
      'index.mjs': `import { Hono } from ${JSON.stringify(import.meta.resolve('hono'))};
        import { setCookie, getCookie } from ${JSON.stringify(import.meta.resolve('hono/cookie'))};
        import { streamText } from ${JSON.stringify(import.meta.resolve('hono/streaming'))};
        const app = new Hono();
        app.get('/hello/:name', (c) => {
          c.executionCtx.waitUntil(Promise.resolve());
          setCookie(c, 'seen', c.req.param('name'));
          return c.json({ message: c.env.GREETING + ', ' + c.req.param('name'), before: getCookie(c, 'seen') ?? null });
        });
        app.post('/upload', async (c) => c.body(await c.req.arrayBuffer(), 201));
        app.get('/stream', (c) => streamText(c, async (stream) => { for (const n of [1, 2]) { await stream.write(n + ';'); await stream.sleep(20); } }));
        export default app;`,
    },
    handler: 'index',
    environment: { GREETING: 'Hello' },
  });
  const hello = (await invoke(urlEvent({ path: '/hello/Ada', headers: { host: 'a', cookie: 'seen=Eve' } }))).value as Whole;
  assert.deepEqual(
    [hello.statusCode, hello.cookies, JSON.parse(hello.body)],
    [200, ['seen=Ada; Path=/'], { message: 'Hello, Ada', before: 'Eve' }],
  );
  const upload = (await invoke(urlEvent({ method: 'POST', path: '/upload', body: 'AP8=', isBase64Encoded: true }))).value as Whole;
  assert.deepEqual([upload.statusCode, upload.body, upload.isBase64Encoded], [201, 'AP8=', true]);
  assert.equal((await invoke(urlEvent({ path: '/stream' }))).body.toString(), '1;2;');
  assert.equal(((await invoke(urlEvent({ path: '/nowhere' }))).value as Whole).statusCode, 404);
  assert.deepEqual(((await invoke(urlEvent({ method: 'HEAD', path: '/hello/Ada' }))).value as Whole).body, '');
});
