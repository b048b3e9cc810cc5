/** Applications of Python's web interfaces, as they are called through a function URL: on events that the gateway's own encoder makes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { InvocationEnd } from '../../src/ports/mod.ts';
import { urlEventEncoder } from '../../src/protocol/mod.ts';
import type { Booted } from './node-function.ts';
import { runPython, skip } from './python.testing.ts';

type Sent = { readonly method?: string; readonly headers?: readonly string[]; readonly body?: Buffer | string };
type Received = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
  readonly body: string;
  readonly isBase64Encoded: boolean;
  /** 0: it came whole. */
  readonly chunks: number;
};

async function ask({ invoke }: Booted, target: string, { method = 'GET', headers = [], body }: Sent = {}): Promise<Received> {
  const [path, query = ''] = target.split('?') as [string, string?];
  const event = urlEventEncoder().encode(
    { beforeHttp: '"requestContext":{"accountId":"anonymous",' },
    {
      method,
      path,
      query,
      rawHeaders: ['Host', 'shop.example:8443', ...headers],
      httpVersion: '1.1',
      sourceIp: '10.1.2.3',
      port: 4566,
      requestId: 'request',
      timeMs: 0,
      trace: 'Root=1',
      ...(body !== undefined && { body: Buffer.from(body) }),
    },
  );
  const answer = await invoke(JSON.parse(String(event)));
  if (answer.end !== 'streamed') {
    assert.equal(answer.end, 'answered', JSON.stringify(answer.error));
    return { ...(answer.value as Received), chunks: 0 };
  }
  assert.equal(answer.error, undefined);
  const { statusCode, headers: fields, cookies } = answer.head!.prelude!;
  const text = { body: answer.body.toString('base64'), isBase64Encoded: true, chunks: answer.chunks };
  return { statusCode: statusCode!, headers: fields!, ...(cookies && { cookies }), ...text };
}

const bodyOf = ({ body, isBase64Encoded }: Received): Buffer => Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

const WSGI = `
from wsgiref.validate import validator
def plain(environ, start_response):
    if environ['PATH_INFO'] == '/broken':
        raise ValueError('inside the application')
    if environ['PATH_INFO'] == '/echo':
        body = environ['wsgi.input'].read(int(environ['CONTENT_LENGTH']))
        start_response('201 Created', [('Content-Type', 'application/octet-stream')])
        return [body[:10], body[10:]]
    if environ['PATH_INFO'] == '/written':
        write = start_response('200 OK', [('Content-Type', 'text/plain')])
        write(b'first ')
        return [b'then']
    seen = {name: value for name, value in environ.items() if isinstance(value, str)}
    start_response('200 OK', [
        ('Content-Type', 'application/json'), ('Set-Cookie', 'a=1; Path=/'), ('Set-Cookie', 'b=2'), ('Vary', 'x'), ('Vary', 'y'),
    ])
    import json
    return [json.dumps(seen).encode()]
app = validator(plain)
class Application:
    def __call__(self, environ, start_response):
        return plain(environ, start_response)
instance = Application()
`;

test('WSGI: a request is an environ, an answer comes back byte for byte', { skip }, async (t) => {
  for (const handler of ['index.plain', 'index.instance']) {
    const booted = await runPython(t, { code: WSGI, handler });
    const headers = ['Cookie', 'c=3', 'Cookie', 'd=4', 'X-Two-Words', 'é'.normalize(), 'Content-Type', 'text/plain'];
    const answer = await ask(booted, '/a%20b/%C3%BC%2F?q=1&q=%20', { method: 'PUT', headers, body: 'body' });
    assert.deepEqual([answer.statusCode, answer.cookies, answer.headers['vary']], [200, ['a=1; Path=/', 'b=2'], 'x, y']);
    const seen = JSON.parse(answer.body) as Record<string, string>;
    const expected = {
      REQUEST_METHOD: 'PUT',
      SCRIPT_NAME: '',
      // Bytes in Latin-1, as PEP 3333 has it.
      PATH_INFO: '/a b/\u00c3\u00bc/',
      QUERY_STRING: 'q=1&q=%20',
      REMOTE_ADDR: '10.1.2.3',
      SERVER_NAME: 'shop.example',
      SERVER_PORT: '8443',
      SERVER_PROTOCOL: 'HTTP/1.1',
      HTTP_HOST: 'shop.example:8443',
      HTTP_COOKIE: 'c=3; d=4',
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '4',
      'wsgi.url_scheme': 'http',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(seen[name], value, name);
    const echoed = await ask(booted, '/echo', { method: 'POST', body: BYTES });
    assert.deepEqual([echoed.statusCode, bodyOf(echoed).equals(BYTES), echoed.isBase64Encoded], [201, true, true]);
    assert.equal((await ask(booted, '/written')).body, 'first then');
  }
});

test('WSGI: what the reference validator asks of a server holds', { skip }, async (t) => {
  const booted = await runPython(t, { code: `${WSGI}\ndef handler(environ, start_response):\n    return app(environ, start_response)\n` });
  assert.equal((await ask(booted, '/')).statusCode, 200);
});

test(
  'an application that raises fails the invocation, and answers the next; an event that is no request is told so',
  { skip },
  async (t) => {
    const booted = await runPython(t, { code: WSGI, handler: 'index.instance' });
    const event = { version: '2.0', rawPath: '/broken', headers: {}, requestContext: { http: { method: 'GET' } } };
    const { error } = await booted.invoke(event);
    assert.deepEqual([error?.errorType, error?.errorMessage], ['ValueError', 'inside the application']);
    assert.equal((await booted.invoke({ name: 'Ada' })).error?.errorType, 'Runtime.NotAnHttpEvent');
    assert.equal((await ask(booted, '/')).statusCode, 200);
  },
);

const STREAMS = `
def counting():
    try:
        yield b'one '
        yield b'two '
        if broken: raise ValueError('in the middle')
        yield b'three'
    finally:
        closed.append(True)
closed = []
broken = False
def app(environ, start_response):
    global broken
    broken = environ['PATH_INFO'] == '/broken'
    if environ['PATH_INFO'] == '/closed':
        start_response('200 OK', [])
        return [str(len(closed)).encode()]
    start_response('206 Partial', [('Set-Cookie', 'a=1'), ('X-Y', 'z')] + ([('Content-Length', '13')] if environ['PATH_INFO'] == '/length' else []))
    return counting()
async def asgi(scope, receive, send):
    if scope['type'] != 'http': return
    await send({'type': 'http.response.start', 'status': 206, 'headers': [(b'set-cookie', b'a=1'), (b'x-y', b'z')]})
    for part in [b'one ', b'two ', bytes(3_000_000)] if scope['path'] == '/large' else [b'one ', b'two ']:
        await send({'type': 'http.response.body', 'body': part, 'more_body': True})
    if scope['path'] == '/broken': raise ValueError('in the middle')
    await send({'type': 'http.response.body', 'body': b'three'})
`;

test('what is made bit by bit is sent bit by bit, and what breaks in the middle breaks off', { skip }, async (t) => {
  for (const handler of ['index.app', 'index.asgi']) {
    const booted = await runPython(t, { code: STREAMS, handler });
    for (let round = 0; round < 2; round++) {
      const answer = await ask(booted, '/');
      assert.deepEqual([answer.statusCode, answer.cookies, answer.headers['x-y']], [206, ['a=1'], 'z']);
      assert.deepEqual([bodyOf(answer).toString(), answer.chunks], ['one two three', 3]);
      const event = { version: '2.0', rawPath: '/broken', headers: {}, requestContext: { http: { method: 'GET' } } };
      const broken = await booted.invoke(event);
      assert.deepEqual([broken.end, broken.error?.errorMessage, broken.body.toString()], ['streamed', 'in the middle', 'one two ']);
    }
    if (handler === 'index.app') {
      const whole = await ask(booted, '/length');
      assert.deepEqual([bodyOf(whole).toString(), whole.chunks], ['one two three', 0]);
      assert.equal((await ask(booted, '/closed')).body, '5');
    } else assert.equal(bodyOf(await ask(booted, '/large')).length, 3_000_013);
  }
});

const ASGI = `
import asyncio, json
log = []
async def application(scope, receive, send):
    if scope['type'] == 'lifespan':
        assert (await receive())['type'] == 'lifespan.startup'
        scope['state']['pool'] = 'ready'
        log.append('started')
        await send({'type': 'lifespan.startup.complete'})
        await receive()
        return
    message = await receive()
    if scope['path'] == '/broken':
        raise ValueError('inside the application')
    if scope['path'] == '/half':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        return
    if scope['path'] == '/echo':
        await send({'type': 'http.response.start', 'status': 201, 'headers': [(b'content-type', b'application/octet-stream')]})
        await send({'type': 'http.response.body', 'body': message['body'][:10], 'more_body': True})
        gone = asyncio.ensure_future(receive())
        await asyncio.sleep(0.01)
        assert not gone.done()
        await send({'type': 'http.response.body', 'body': message['body'][10:]})
        assert (await gone)['type'] == 'http.disconnect'
        return
    seen = {name: scope[name] for name in ('method', 'path', 'http_version', 'scheme', 'client', 'server', 'state')}
    seen['raw_path'] = scope['raw_path'].decode()
    seen['query_string'] = scope['query_string'].decode()
    seen['headers'] = {name.decode(): value.decode('latin-1') for name, value in scope['headers']}
    seen['log'] = log
    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'Set-Cookie', b'a=1'), (b'Set-Cookie', b'b=2')]})
    await send({'type': 'http.response.body', 'body': json.dumps(seen).encode()})
    if scope['path'] == '/later':
        await asyncio.sleep(0.05)
        log.append('later')
        print('done later')
        if scope['query_string']: raise ValueError('after the answer')
class Application:
    async def __call__(self, scope, receive, send):
        await application(scope, receive, send)
instance = Application()
class WithoutLifespan:
    async def __call__(self, scope, receive, send):
        assert scope['type'] == 'http'
        await application(scope, receive, send)
bare = WithoutLifespan()
async def refusing(scope, receive, send):
    if scope['type'] == 'lifespan':
        await receive()
        await send({'type': 'lifespan.startup.failed', 'message': 'no database'})
`;

test('ASGI: a request is a scope, an answer comes back byte for byte, and the lifespan begins once', { skip }, async (t) => {
  for (const handler of ['index.application', 'index.instance', 'index.bare']) {
    const booted = await runPython(t, { code: ASGI, handler });
    for (let round = 0; round < 2; round++) {
      const answer = await ask(booted, '/a%20b/%C3%BC?q=1', { headers: ['Cookie', 'c=3', 'X-Two', 'x'] });
      assert.deepEqual([answer.statusCode, answer.cookies], [200, ['a=1', 'b=2']]);
      const seen = JSON.parse(answer.body) as Record<string, unknown> & { headers: Record<string, string> };
      const lives = handler !== 'index.bare';
      assert.deepEqual(
        { ...seen, headers: [seen.headers['cookie'], seen.headers['x-two'], seen.headers['host']] },
        {
          method: 'GET',
          path: '/a b/ü',
          raw_path: '/a%20b/%C3%BC',
          query_string: 'q=1',
          http_version: '1.1',
          scheme: 'http',
          client: ['10.1.2.3', 0],
          server: ['shop.example', 8443],
          state: lives ? { pool: 'ready' } : {},
          log: lives ? ['started'] : [],
          headers: ['c=3', 'x', 'shop.example:8443'],
        },
      );
    }
    const echoed = await ask(booted, '/echo', { method: 'POST', body: BYTES });
    assert.deepEqual([echoed.statusCode, bodyOf(echoed).equals(BYTES)], [201, true]);
    const event = (rawPath: string) => ({ version: '2.0', rawPath, headers: {}, requestContext: { http: { method: 'GET' } } });
    assert.equal((await booted.invoke(event('/broken'))).error?.errorMessage, 'inside the application');
    assert.equal((await booted.invoke(event('/half'))).error?.errorMessage, 'the application returned without a whole answer');
    assert.equal((await ask(booted, '/')).statusCode, 200);
  }
});

test('ASGI: what goes on after the answer is part of the invocation, and no part of the answer', { skip }, async (t) => {
  const booted = await runPython(t, { code: ASGI, handler: 'index.application' });
  const later = (query: string) => ({
    version: '2.0',
    rawPath: '/later',
    rawQueryString: query,
    headers: {},
    requestContext: { http: { method: 'GET' } },
  });
  for (const query of ['', 'fail']) {
    const { promise: over, resolve } = Promise.withResolvers<InvocationEnd['kind']>();
    const heard: string[] = [];
    booted.instance.invoke({ id: query, arn: 'arn', deadlineMs: Date.now() + 60_000 }, JSON.stringify(later(query)), {
      log: (text) => void heard.push(text),
      streamHead() {},
      streamChunk() {},
      answered: ({ kind }) => void heard.push(kind),
      end: ({ kind }) => resolve(kind),
    });
    assert.equal(await over, 'over');
    assert.deepEqual(heard.slice(0, 2), ['answered', 'done later']);
    if (query !== '') assert.match(heard[2]!, /^\[ERROR\] ValueError: after the answer/);
  }
  const { log } = JSON.parse((await ask(booted, '/')).body) as { log: string[] };
  assert.deepEqual(log, ['started', 'later', 'later']);
});

test('ASGI: an application that refuses to start fails the invocation with its reason', { skip }, async (t) => {
  const { error } = await (await runPython(t, { code: ASGI, handler: 'index.refusing' })).invoke({});
  assert.deepEqual([error?.errorType, error?.errorMessage], ['Runtime.AfterRestoreError', 'StartupFailed: no database']);
});

const FRAMEWORKS: Readonly<Record<string, string>> = {
  flask: `
from flask import Flask, jsonify, make_response, request
app = Flask(__name__)
@app.route('/greet/<name>', methods=['GET', 'POST'])
def greet(name):
    answer = make_response(jsonify(name=name, query=request.args.get('q'), body=request.get_json(silent=True), cookie=request.cookies.get('c')))
    answer.set_cookie('seen', name)
    return answer
@app.route('/bytes')
def send():
    return make_response(bytes(range(256)))
`,
  fastapi: `
from fastapi import Body, Cookie, FastAPI, Response
app = FastAPI()
@app.api_route('/greet/{name}', methods=['GET', 'POST'])
async def greet(name: str, response: Response, q: str = None, body: dict = Body(None), c: str = Cookie(None)):
    response.set_cookie('seen', name)
    return {'name': name, 'query': q, 'body': body, 'cookie': c}
@app.get('/bytes')
def send():
    return Response(bytes(range(256)))
`,
  django: `
import json
from django.conf import settings
settings.configure(ALLOWED_HOSTS=['*'], ROOT_URLCONF='index', SECRET_KEY='x')
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path
def greet(request, name):
    body = json.loads(request.body) if request.body else None
    answer = JsonResponse({'name': name, 'query': request.GET.get('q'), 'body': body, 'cookie': request.COOKIES.get('c')})
    answer.set_cookie('seen', name)
    return answer
urlpatterns = [path('greet/<name>', greet), path('bytes', lambda request: HttpResponse(bytes(range(256))))]
app = get_wsgi_application()
`,
};

for (const [framework, code] of Object.entries(FRAMEWORKS)) {
  test(`${framework}: an unchanged application`, { skip: skip || missing(framework) }, async (t) => {
    const booted = await runPython(t, { code, handler: 'index.app' });
    const headers = ['Cookie', 'c=3', 'Content-Type', 'application/json'];
    const answer = await ask(booted, '/greet/Ada?q=%C3%BC', { method: 'POST', headers, body: '{"n":[1]}' });
    assert.equal(answer.statusCode, 200, answer.body);
    assert.deepEqual(JSON.parse(answer.body), { name: 'Ada', query: 'ü', body: { n: [1] }, cookie: '3' });
    assert.match(answer.cookies![0]!, /^seen=Ada; /);
    assert.ok(bodyOf(await ask(booted, '/bytes')).equals(BYTES));
    assert.equal((await ask(booted, '/nowhere')).statusCode, 404);
  });
}

/** Where it is not installed, why the test is skipped. */
function missing(framework: string): string | false {
  try {
    execFileSync('python3', ['-c', `import ${framework}`], { stdio: 'ignore' });
    return false;
  } catch {
    return `${framework} is not installed for python3: apt-get install python3-${framework}`;
  }
}
