import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionEntry, FunctionVersion, ImageSettings, StoredImage } from '../control/mod.ts';
import { HearthError } from '../kernel/mod.ts';
import { createDeployments, toDeployment } from './deployments.ts';

const CONTEXT = {
  realm: { region: 'eu-west-1', accountId: '000000000000' },
  ownNetwork: true,
  hostUrl: 'http://127.0.0.1:7777',
  credentials: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
};

const INSIDE = 'http://127.0.0.1:4566';

type Given = {
  version?: string;
  reserved?: number;
  environment?: Record<string, string>;
  snapStart?: 'None' | 'PublishedVersions';
  tags?: Record<string, string>;
  layers?: readonly string[];
};

function given({ version = '$LATEST', reserved, environment, snapStart, tags = {}, layers = [] }: Given = {}) {
  const record = {
    version,
    settings: {
      runtime: 'nodejs22.x',
      handler: 'index.handler',
      role: 'r',
      description: '',
      timeoutSeconds: 7,
      memoryMiB: 256,
      tmpMiB: 512,
      ...(environment && { environment }),
      ...(snapStart && { snapStart }),
      tracing: 'PassThrough' as const,
      architecture: 'x86_64' as const,
      logging: { format: 'JSON' as const, applicationLevel: 'WARN', systemLevel: 'INFO', group: '/mine' },
    },
    code: { sha256: 'aa', bytes: 1 },
    modifiedMs: Date.UTC(2026, 10, 21),
    revisionId: 'r',
    deploymentId: 'd1',
  };
  const functionRecord = {
    schema: 1 as const,
    name: 'hello',
    latest: record,
    published: 0,
    aliases: [],
    urls: [],
    policies: [],
    tags,
    ...(reserved !== undefined && { reservedConcurrency: reserved }),
  };
  const found: FunctionVersion = { record, code: { kind: 'ready', directory: '/data/code/aa', layers } };
  const entry: FunctionEntry = {
    name: 'hello',
    arn: 'arn',
    record: functionRecord,
    revision: 1,
    versions: new Map([[version, found]]),
    aliases: new Map(),
  };
  return { entry, version: found };
}

test('what is compiled for a version is kept beside its code, for that version alone', () => {
  const pathOf = (options: Given) => {
    const { entry, version } = given(options);
    return toDeployment(entry, version, CONTEXT).spec.compileCache!;
  };
  assert.match(pathOf({}), /^\/data\/code\/aa\.compiled\/[0-9a-f]{64}$/);
  assert.equal(pathOf({}), pathOf({}));
  assert.notEqual(pathOf({}), pathOf({ version: '1' }));
});

test('a function sees the environment that Lambda gives, and its own variables', () => {
  const { entry, version } = given({ environment: { COLOUR: 'red', TZ: 'Europe/Berlin' } });
  const { environment, compileCache: _, ...spec } = toDeployment(entry, version, CONTEXT).spec;
  assert.deepEqual(spec, {
    label: 'hello:$LATEST',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    codeDirectory: '/data/code/aa',
    layerDirectories: [],
    memoryMiB: 256,
    tmpMiB: 512,
    initTimeoutMs: 10_000,
    concurrency: 1,
    accountId: '000000000000',
    network: { kind: 'egress', public: true, hosts: [], endpoints: [] },
  });
  const { AWS_LAMBDA_LOG_STREAM_NAME: stream, ...rest } = environment;
  assert.match(stream!, /^2026\/11\/21\/\[\$LATEST\][0-9a-f]{32}$/);
  assert.deepEqual(rest, {
    LANG: 'en_US.UTF-8',
    TZ: 'Europe/Berlin',
    PATH: '/usr/local/bin:/usr/bin:/bin:/opt/bin',
    LD_LIBRARY_PATH: '/var/task:/var/task/lib:/opt/lib',
    NODE_PATH: '/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules',
    AWS_ENDPOINT_URL: INSIDE,
    HTTP_PROXY: INSIDE,
    HTTPS_PROXY: INSIDE,
    NO_PROXY: 'localhost,127.0.0.1,::1',
    http_proxy: INSIDE,
    https_proxy: INSIDE,
    no_proxy: 'localhost,127.0.0.1,::1',
    NODE_USE_ENV_PROXY: '1',
    COLOUR: 'red',
    AWS_REGION: 'eu-west-1',
    AWS_DEFAULT_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_SESSION_TOKEN: 'token',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
    AWS_LAMBDA_FUNCTION_NAME: 'hello',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: '/mine',
    AWS_LAMBDA_LOG_FORMAT: 'JSON',
    AWS_LAMBDA_LOG_LEVEL: 'WARN',
    LAMBDA_TASK_ROOT: '/var/task',
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    _HANDLER: 'index.handler',
  });
});

test('a published version that was to be started from snapshots is told so', () => {
  const typeOf = (options: Given) => {
    const { entry, version } = given(options);
    return toDeployment(entry, version, CONTEXT).spec.environment['AWS_LAMBDA_INITIALIZATION_TYPE'];
  };
  assert.equal(typeOf({ version: '1', snapStart: 'PublishedVersions' }), 'snap-start');
  assert.equal(typeOf({ snapStart: 'PublishedVersions' }), 'on-demand');
  assert.equal(typeOf({ version: '1' }), 'on-demand');
  assert.equal(typeOf({ version: '1', snapStart: 'None' }), 'on-demand');
});

test('ids tell apart what runs differently, and not how many instances there are', () => {
  const id = (options: Parameters<typeof given>[0]) => {
    const { entry, version } = given(options);
    return toDeployment(entry, version, CONTEXT).id;
  };
  assert.equal(id({}), id({}));
  const none = { tags: { 'hearth:network': 'none' } };
  const shared = { tags: { 'hearth:scaling': 'concurrency=10' } };
  const spot = { tags: { 'hearth:capacity': 'class=spot' } };
  assert.equal(new Set([id({}), id({ version: '1' }), id(none), id(shared), id(spot)]).size, 5);
  assert.equal(id({ ...shared, reserved: 5 }), id(shared));
  const kept = {
    'hearth:scaling': 'target=0.5 queue-depth=1',
    'hearth:capacity': 'gpu',
    'hearth:warm:a': 'rate(1 hour) for=1m instances=2',
  };
  assert.deepEqual([id({ reserved: 0 }), id({ reserved: 5 }), id({ tags: kept })], [id({}), id({}), id({})]);
});

test('where the platform is, and that there is a proxy, is told to those who can reach them', () => {
  const told = (network: string | undefined, ownNetwork: boolean) => {
    const { entry, version } = given({ tags: network === undefined ? {} : { 'hearth:network': network } });
    const { environment } = toDeployment(entry, version, { ...CONTEXT, ownNetwork }).spec;
    return [environment['AWS_ENDPOINT_URL'], environment['HTTPS_PROXY']];
  };
  assert.deepEqual(told('api.example.com', true), [INSIDE, INSIDE]);
  assert.deepEqual(told('none', true), [undefined, undefined]);
  assert.deepEqual(told('host', true), ['http://127.0.0.1:7777', undefined]);
  assert.deepEqual(told(undefined, false), ['http://127.0.0.1:7777', undefined]);
});

test("a function of an image has the image's environment below its own, and is started as the two say together", () => {
  const image: StoredImage = {
    digest: `sha256:${'a'.repeat(64)}`,
    directory: '/data/code/images/a/root',
    architecture: 'x86_64',
    entryPoint: ['/entry'],
    command: ['serve', '80'],
    environment: { PATH: '/app/bin', PORT: '1', BOTH: 'image', LAMBDA_TASK_ROOT: '/elsewhere' },
    workingDirectory: '/app',
  };
  const { entry, version } = given({ environment: { BOTH: 'function', HEARTH_WEB_PORT: '80' } });
  const specOf = (settings: ImageSettings) => {
    const record = { ...version.record, settings: { ...version.record.settings, runtime: '', handler: '', image: settings } };
    const code = { kind: 'ready' as const, directory: image.directory, layers: [], image };
    return toDeployment(entry, { record, code }, CONTEXT).spec;
  };
  const spec = specOf({});
  assert.deepEqual(spec.image, { command: ['/entry', 'serve', '80'], workingDirectory: '/app' });
  assert.deepEqual([spec.codeDirectory, spec.compileCache, spec.web?.port], [image.directory, undefined, 80]);
  const { PATH, PORT, BOTH, LAMBDA_TASK_ROOT, AWS_EXECUTION_ENV, LD_LIBRARY_PATH, _HANDLER } = spec.environment;
  assert.deepEqual([PATH, PORT, BOTH, LAMBDA_TASK_ROOT, _HANDLER], ['/app/bin', '80', 'function', '/var/task', 'serve']);
  assert.deepEqual([AWS_EXECUTION_ENV, LD_LIBRARY_PATH], [undefined, undefined]);
  const changed = specOf({ command: ['x'], workingDirectory: '/srv' });
  assert.deepEqual(changed.image, { command: ['/entry', 'x'], workingDirectory: '/srv' });
  assert.deepEqual(specOf({ entryPoint: ['/other'] }).image?.command, ['/other', 'serve', '80']);
});

test('limits and ARN follow the version and the function', () => {
  const { entry, version } = given({ version: '3', reserved: 5 });
  const deployment = toDeployment(entry, version, CONTEXT);
  assert.deepEqual(
    [deployment.arn, deployment.timeoutMs, deployment.maxInstances],
    ['arn:aws:lambda:eu-west-1:000000000000:function:hello:3', 7_000, 5],
  );
});

test('SnapStart decides whether instances are forked; without it, and for $LATEST, the platform does', () => {
  const snapshot = (options: Parameters<typeof given>[0]) => {
    const { entry, version } = given(options);
    return toDeployment(entry, version, CONTEXT).spec.snapshot;
  };
  assert.deepEqual([snapshot({}), snapshot({ version: '1' })], [undefined, undefined]);
  assert.deepEqual([snapshot({ snapStart: 'None' }), snapshot({ snapStart: 'None', version: '1' })], ['never', 'never']);
  const PublishedVersions = { snapStart: 'PublishedVersions' } as const;
  assert.deepEqual([snapshot(PublishedVersions), snapshot({ ...PublishedVersions, version: '1' })], [undefined, 'always']);
});

test('layers are merged in their order, and one that occurs twice where it occurs last', () => {
  const merged = (layers: readonly string[]) => {
    const { entry, version } = given({ layers });
    return toDeployment(entry, version, CONTEXT).spec.layerDirectories;
  };
  assert.deepEqual(merged(['/b', '/a', '/c']), ['/b', '/a', '/c']);
  assert.deepEqual(merged(['/a', '/b', '/a']), ['/b', '/a']);
});

test('a deployment is made once for an entry, and not at all without code', () => {
  const deploymentOf = createDeployments(CONTEXT);
  const { entry, version } = given();
  assert.equal(deploymentOf(entry, version), deploymentOf(entry, version));
  const failed: FunctionVersion = { ...version, code: { kind: 'failed', reason: 'damaged' } };
  assert.throws(
    () => deploymentOf(entry, failed),
    (error: unknown) => error instanceof HearthError && error.code === 'ResourceNotReadyException',
  );
});

test('a function belongs to the application that its tags name', () => {
  const applicationOf = (tags: Record<string, string>) => {
    const { entry, version } = given({ tags });
    return toDeployment(entry, version, CONTEXT).calls?.application;
  };
  assert.equal(applicationOf({}), undefined);
  assert.equal(applicationOf({ 'hearth:application': 'shop' }), 'shop');
});

test('what is said of its calls is known to the data plane', () => {
  const { entry, version } = given({ tags: { 'hearth:calls': 'cron(30 * * * ? *) jitter=5s' } });
  const { schedule } = toDeployment(entry, version, CONTEXT).calls!;
  assert.equal(schedule!.nextMs(Date.UTC(2026, 0, 1, 12, 31)), Date.UTC(2026, 0, 1, 13, 30));
  assert.equal(schedule!.jitterMs, 5_000);
});

test('a function whose instances run several invocations at a time is told how many', () => {
  const maximum = (tags: Record<string, string>) => {
    const { entry, version } = given({ tags });
    const { spec } = toDeployment(entry, version, CONTEXT);
    return [spec.concurrency, spec.environment['AWS_LAMBDA_MAX_CONCURRENCY']];
  };
  assert.deepEqual(maximum({}), [1, undefined]);
  assert.deepEqual(maximum({ 'hearth:scaling': 'concurrency=10' }), [10, '10']);
});
