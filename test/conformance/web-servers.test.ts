/** Programs that serve HTTP instead of asking for events: from container images in real sandboxes, and as plain processes. */
import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openImages } from '../../src/adapters/images/mod.ts';
import { LinuxSandboxes } from '../../src/adapters/linux/mod.ts';
import { SpawnSandboxes } from '../../src/adapters/spawn/mod.ts';
import { silentLog, systemClock } from '../../src/kernel/mod.ts';
import type { BootResult, Instance, InvocationEnd, SandboxSpec } from '../../src/ports/mod.ts';
import { parseWeb } from '../../src/protocol/mod.ts';
import type { StreamHead } from '../../src/protocol/mod.ts';
import { closeAfter } from '../closing.ts';
import { archiveFile, compileServer, executable, noCompiler } from '../container-images.testing.ts';
import { temporaryDirectory } from '../temporary.ts';

const DRIVERS = ['linux', 'spawn'] as const;
type Driver = (typeof DRIVERS)[number];
const skips = { linux: process.platform === 'linux' ? noCompiler : 'the fork ladder needs Linux', spawn: noCompiler };

type Booted = BootResult & { readonly log: string[] };
type Boot = (environment?: Readonly<Record<string, string>>, more?: Partial<SandboxSpec>) => Promise<Booted>;

const PORT = '8080';

/** The server is a container image where there are sandboxes, and a package's bootstrap where not. */
async function open(t: TestContext, driver: Driver): Promise<Boot> {
  const directory = temporaryDirectory(t);
  const packages = join(directory, 'packages');
  await mkdir(packages, { mode: 0o755 });
  const run = join(directory, 'run');
  const server = compileServer(t);
  let code: Pick<SandboxSpec, 'codeDirectory' | 'image'>;
  if (driver === 'linux') {
    const images = await openImages({ directory: join(packages, 'images') });
    closeAfter(t, () => images.close());
    const { root } = await images.unpack(await archiveFile(t, { parts: [executable('server', server)] }));
    code = { codeDirectory: root, image: { command: ['/server', PORT], workingDirectory: '/' } };
  } else {
    const codeDirectory = join(packages, 'code');
    await mkdir(codeDirectory);
    await writeFile(join(codeDirectory, 'server'), server);
    await writeFile(join(codeDirectory, 'bootstrap'), '#!/bin/sh\nexec ./server "$PORT"\n');
    for (const name of ['server', 'bootstrap']) await chmod(join(codeDirectory, name), 0o755);
    code = { codeDirectory };
  }
  const sandboxes =
    driver === 'linux'
      ? await LinuxSandboxes.open({ directory: run, packages })
      : await SpawnSandboxes.open({ directory: run, log: silentLog, clock: systemClock });
  closeAfter(t, () => sandboxes.close());
  return async (variables = {}, more = {}) => {
    const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', PORT, HEARTH_WEB_PORT: PORT, ...variables };
    const log: string[] = [];
    const fixed = { label: 'test', runtime: 'provided', handler: '', layerDirectories: [], memoryMiB: 128, tmpMiB: 512 };
    const web = parseWeb(environment)!;
    const spec = { ...fixed, ...code, environment, web, initTimeoutMs: 60_000, concurrency: 1, ...more };
    return { ...(await sandboxes.boot(spec, { log: (text) => void log.push(text) })), log };
  };
}

function instanceOf(booted: Booted): Instance {
  assert.ok(booted.ok, `${JSON.stringify(booted)} ${booted.log.join('\n')}`);
  return booted.template.fork();
}

type Answered = { readonly end: InvocationEnd; readonly value: unknown; readonly head: StreamHead | undefined; readonly chunks: string[] };

function invoke(instance: Instance, event: unknown): Promise<Answered> {
  let head: StreamHead | undefined;
  const chunks: string[] = [];
  return new Promise((resolve) => {
    const about = { id: '8a2b1c3d-0000-4000-8000-000000000000', deadlineMs: Date.now() + 60_000, arn: 'arn', trace: 'Root=1' };
    instance.invoke(about, JSON.stringify(event), {
      log() {},
      streamHead: (given) => void (head = given),
      streamChunk: (chunk) => void chunks.push(chunk.toString()),
      end: (end) =>
        resolve({ end, head, chunks, value: end.kind === 'answered' ? (JSON.parse(end.payload.toString()) as unknown) : undefined }),
    });
  });
}

/** As function URLs make them. */
const urlEvent = (path: string, more: object = {}): object => {
  const [rawPath, rawQueryString = ''] = path.split('?');
  return { version: '2.0', rawPath, rawQueryString, headers: { host: 'f.example' }, requestContext: { http: { method: 'GET' } }, ...more };
};

type HttpAnswer = {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly cookies?: readonly string[];
  readonly body: string;
  readonly isBase64Encoded: boolean;
};

const ask = async (instance: Instance, event: unknown): Promise<HttpAnswer> => {
  const { end, value } = await invoke(instance, event);
  assert.equal(end.kind, 'answered', JSON.stringify(end));
  return value as HttpAnswer;
};

/** What the server has got: its first line, its headers, its body. */
function received({ body: given, isBase64Encoded }: HttpAnswer): {
  readonly line: string;
  readonly headers: Record<string, string>;
  readonly body: string;
} {
  const [head = '', content = ''] = Buffer.from(given, isBase64Encoded ? 'base64' : 'utf8')
    .toString()
    .split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  return { line, body: content, headers: Object.fromEntries(fields.map((each) => each.split(/: (.*)/, 2) as [string, string])) };
}

for (const driver of DRIVERS) {
  const options = { skip: skips[driver] };

  test(`${driver}: requests of function URLs come as they were sent, and answers go back`, options, async (t) => {
    const boot = await open(t, driver);
    const instance = instanceOf(await boot());
    const requestContext = { http: { method: 'POST', userAgent: 'Größe' } };
    const headers = { host: 'f.example', 'x-a': '1,2', 'transfer-encoding': 'chunked', 'x-amzn-request-context': 'forged' };
    const body = Buffer.from([0, 255, 10]).toString('base64');
    const more = { headers, requestContext, cookies: ['a=1', 'b=2'], body, isBase64Encoded: true };
    const got = received(await ask(instance, urlEvent('/echo?x=%20&y', more)));
    assert.equal(got.line, 'POST /echo?x=%20&y HTTP/1.1');
    assert.deepEqual(
      [got.headers['host'], got.headers['x-a'], got.headers['cookie'], got.headers['content-length'], got.headers['transfer-encoding']],
      ['f.example', '1,2', 'a=1; b=2', '3', undefined],
    );
    assert.equal(got.headers['x-amzn-trace-id'], 'Root=1');
    assert.deepEqual(JSON.parse(got.headers['x-amzn-request-context']!), requestContext);
    assert.equal((JSON.parse(got.headers['x-amzn-lambda-context']!) as { invoked_function_arn: string }).invoked_function_arn, 'arn');

    const cookies = await ask(instance, urlEvent('/cookies'));
    assert.deepEqual(
      [cookies.cookies, cookies.headers?.['x-two'], cookies.headers?.['set-cookie']],
      [['a=1; Path=/', 'b=2'], '1, 2', undefined],
    );
    const bytes = await ask(instance, urlEvent('/bytes'));
    assert.equal(bytes.isBase64Encoded, true);
    assert.deepEqual(
      [...Buffer.from(bytes.body, 'base64')],
      Array.from({ length: 256 }, (_, i) => i),
    );
    assert.equal((await ask(instance, urlEvent('/status/404'))).statusCode, 404);
    assert.equal((await ask(instance, urlEvent('/status/204'))).statusCode, 204);
    const posted = received(await ask(instance, urlEvent('/echo', { requestContext, body: 'größer' })));
    assert.equal(posted.body, 'größer');
  });

  test(`${driver}: requests of REST APIs and load balancers are understood too, and answered in their form`, options, async (t) => {
    const boot = await open(t, driver);
    const instance = instanceOf(await boot());
    const rest = {
      httpMethod: 'PUT',
      path: '/echo',
      headers: { A: 'last' },
      multiValueHeaders: { A: ['first', 'last'] },
      queryStringParameters: { q: 'b c' },
      multiValueQueryStringParameters: { q: ['a', 'b c'] },
      requestContext: { stage: 'prod' },
      body: null,
    };
    const got = received(await ask(instance, rest));
    assert.deepEqual([got.line, got.headers['content-length']], ['PUT /echo?q=a&q=b%20c HTTP/1.1', '0']);
    const cookies = await ask(instance, { ...rest, httpMethod: 'GET', path: '/cookies' });
    assert.deepEqual(cookies.multiValueHeaders?.['set-cookie'], ['a=1; Path=/', 'b=2']);
    const balanced = { ...rest, path: '/echo', requestContext: { elb: {} }, multiValueQueryStringParameters: { q: ['b%20c'] } };
    assert.equal(received(await ask(instance, balanced)).line, 'PUT /echo?q=b%20c HTTP/1.1');
    const multiple = await ask(instance, { ...balanced, httpMethod: 'GET', path: '/cookies' });
    assert.deepEqual([multiple.headers, multiple.multiValueHeaders?.['x-two']], [undefined, ['1', '2']]);
    const { multiValueHeaders: _, ...single } = balanced;
    assert.equal((await ask(instance, { ...single, httpMethod: 'GET', path: '/cookies' })).headers?.['x-two'], '1, 2');
  });

  test(`${driver}: other events are posted, and their answers are the function's`, options, async (t) => {
    const boot = await open(t, driver);
    const instance = instanceOf(await boot());
    const event = { Records: [{ body: 'größer' }] };
    assert.deepEqual((await invoke(instance, event)).value, event);
    assert.deepEqual((await invoke(instance, 'text')).value, 'text');
    const elsewhere = instanceOf(await boot({ AWS_LWA_PASS_THROUGH_PATH: '/echo' }));
    assert.match(String((await invoke(elsewhere, event)).value), /^POST \/echo HTTP\/1\.1\r\n[^]*content-type: application\/json\r\n/);
  });

  test(`${driver}: answers are streamed where that is asked for`, options, async (t) => {
    const boot = await open(t, driver);
    const instance = instanceOf(await boot({ AWS_LWA_INVOKE_MODE: 'RESPONSE_STREAM' }));
    const { end, head, chunks } = await invoke(instance, urlEvent('/stream'));
    assert.equal(end.kind, 'streamed');
    assert.deepEqual(chunks, ['one', 'two']);
    assert.deepEqual(head?.prelude, { statusCode: 201, headers: { 'content-type': 'text/plain' }, cookies: ['s=1'] });
    const cut = await invoke(instance, urlEvent('/cut'));
    assert.equal(cut.end.kind === 'streamed' && cut.end.error?.errorType, 'Runtime.TruncatedResponse');
    assert.deepEqual(cut.chunks, ['short']);
  });

  test(`${driver}: a server that fails one request is asked the next`, options, async (t) => {
    const boot = await open(t, driver);
    const instance = instanceOf(await boot({ AWS_LWA_ERROR_STATUS_CODES: '500-599', AWS_LWA_REMOVE_BASE_PATH: '/v1' }));
    const errorOf = async (event: unknown) => {
      const { end } = await invoke(instance, event);
      return end.kind === 'failed' ? end.error.errorType : JSON.stringify(end);
    };
    assert.equal(await errorOf(urlEvent('/hang-up')), 'Runtime.WebServerFailed');
    assert.equal(await errorOf(urlEvent('/cut')), 'Runtime.TruncatedResponse');
    assert.equal(await errorOf(urlEvent('/status/503')), 'Runtime.WebServerError');
    assert.equal(await errorOf(urlEvent('/large?7000000')), 'Function.ResponseSizeTooLarge');
    assert.equal(await errorOf(urlEvent('/', { headers: { a: 'b\r\nc: d' } })), 'Runtime.InvalidEvent');
    assert.equal((await ask(instance, urlEvent('/large?3000000'))).body.length, 3_000_000);
    assert.equal(received(await ask(instance, urlEvent('/v1/echo'))).line, 'GET /echo HTTP/1.1');
    assert.equal((await ask(instance, urlEvent('/v1'))).body, 'hello');
    const { end } = await invoke(instance, urlEvent('/exit'));
    assert.deepEqual(end, { kind: 'died', exit: { kind: 'exited', code: 7 } });
  });

  test(`${driver}: a server that does not come up fails init, and which port it was is said`, options, async (t) => {
    const boot = await open(t, driver);
    const image = { command: ['/server', 'wait'], workingDirectory: '/' };
    const silent = await boot({}, driver === 'linux' ? { initTimeoutMs: 2_000, image } : { initTimeoutMs: 2_000, web: never() });
    assert.ok(!silent.ok && silent.failure.kind === 'timedOut', JSON.stringify(silent));
    assert.match(
      silent.failure.missing ?? '',
      /^nothing answers at port \d+ to GET \/status\/500$|^nothing answers at port 8080 to GET \/$/,
    );
    const elsewhere = await boot({ AWS_LWA_READINESS_CHECK_PATH: '/status/500' }, { initTimeoutMs: 2_000 });
    assert.ok(!elsewhere.ok && elsewhere.failure.kind === 'timedOut');
    instanceOf(await boot({ AWS_LWA_READINESS_CHECK_PATH: '/status/500', AWS_LWA_READINESS_CHECK_HEALTHY_STATUS: '200-299,500' }));
    const listening = { AWS_LWA_READINESS_CHECK_PATH: '/status/500', AWS_LWA_READINESS_CHECK_PROTOCOL: 'TCP' };
    assert.equal((await ask(instanceOf(await boot(listening)), urlEvent('/'))).body, 'hello');
  });

  test(`${driver}: each instance has a server of its own`, options, async (t) => {
    const booted = await (await open(t, driver))();
    const [first, second] = [instanceOf(booted), instanceOf(booted)];
    const event = urlEvent('/');
    assert.deepEqual(
      (await Promise.all([ask(first, event), ask(second, event)])).map(({ body }) => body),
      ['hello', 'hello'],
    );
    first.kill();
    assert.equal((await ask(second, event)).body, 'hello');
  });
}

const never = () => parseWeb({ HEARTH_WEB_PORT: PORT, AWS_LWA_READINESS_CHECK_PATH: '/status/500' })!;

test('an instance stands still between requests, and its server goes on with the next', { skip: skips.linux }, async (t) => {
  const instance = instanceOf(await (await open(t, 'linux'))());
  for (let turn = 0; turn < 3; turn++) {
    // Longer than it takes to be stopped.
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await ask(instance, urlEvent('/'))).body, 'hello');
  }
});

test('an image is not run as a plain process', { skip: skips.spawn }, async (t) => {
  const booted = await (await open(t, 'spawn'))({}, { image: { command: ['/server'], workingDirectory: '/' } });
  assert.ok(!booted.ok && booted.failure.kind === 'failed');
  assert.match(booted.failure.error.errorMessage, /^Container images need sandboxes/);
});
