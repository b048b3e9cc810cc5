import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { archiveFile, compile, compileServer, executable, noCompiler } from '../container-images.testing.ts';
import { ROOT, startPlatform } from './cli-platform.ts';
import { ROLE, connect, startIsolated, zipOf } from './platform.ts';
import type { Isolated } from './platform.ts';
import { temporaryDirectory } from '../temporary.ts';
import { USERS } from './users.ts';

type Pushed = { readonly digest: string; readonly names: readonly string[] };

const skip = noCompiler;

async function push(t: TestContext, { platform }: Isolated, spec: Parameters<typeof archiveFile>[1]): Promise<Pushed> {
  return await platform.json<Pushed>(['images', 'push', await archiveFile(t, spec)]);
}

const hexOf = (digest: string): string => digest.slice(digest.indexOf(':') + 1);

for (const user of USERS)
  test(`a function of an image asks for its events, the platform being run by ${user}`, { skip }, async (t) => {
    const isolated = await startIsolated(t, undefined, user);
    if (!isolated) return;
    const source = (file: string) => join(ROOT, 'examples/custom-runtime-c', file);
    const parts = [executable('entry', compile(t, source('bootstrap.c'), source('handler.c')))];
    const { digest } = await push(t, isolated, { parts, config: { Entrypoint: ['/entry'] }, tags: ['counter:1'] });
    const create = { FunctionName: 'counter', Role: ROLE, PackageType: 'Image' as const, Code: { ImageUri: 'counter:1' } };
    const created = await isolated.client.send(new CreateFunctionCommand(create));
    assert.equal(created.PackageType, 'Image');
    assert.deepEqual([created.CodeSha256, created.CodeSize, created.Runtime, created.Handler], [hexOf(digest), 0, undefined, undefined]);
    assert.equal(created.ImageConfigResponse, undefined);
    for (const served of [1, 2]) assert.deepEqual((await isolated.invoke('counter', { a: 'b' })).value, { served, event: { a: 'b' } });
    const { Code, Configuration } = await isolated.client.send(new GetFunctionCommand({ FunctionName: 'counter' }));
    assert.deepEqual(Code, { RepositoryType: 'ECR', ImageUri: 'counter:1', ResolvedImageUri: `counter:1@${digest}` });
    assert.equal(Configuration?.State, 'Active');
  });

for (const user of USERS)
  test(`a function of an image serves HTTP, and sees the image alone, the platform being run by ${user}`, { skip }, async (t) => {
    const isolated = await startIsolated(t, undefined, user);
    if (!isolated) return;
    const parts = [
      executable('usr/local/bin/server', compileServer(t)),
      { name: 'srv/data', content: 'of the image' },
      { name: 'etc/passwd', content: 'root:x:0:0:root:/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n' },
      { name: 'etc/hosts', content: 'of the image' },
      { name: 'var/task/own', content: 'kept' },
    ];
    const config = { Cmd: ['server', '80'], WorkingDir: '/srv', Env: ['FROM=image', 'BOTH=image'] };
    const { digest } = await push(t, isolated, { parts, config });
    const Environment = { Variables: { HEARTH_WEB_PORT: '80', BOTH: 'function' } };
    await isolated.client.send(
      new CreateFunctionCommand({ FunctionName: 'web', Role: ROLE, PackageType: 'Image', Code: { ImageUri: digest }, Environment }),
    );
    const url = await isolated.url('web');
    const get = async (path: string) => await (await fetch(`${url}${path}`)).text();
    assert.equal(await get('/'), 'hello');
    assert.match((await isolated.invoke('web')).log, /START/);
    assert.equal(await get('/cat?/srv/data'), 'of the image');
    assert.equal(await get('/cat?data'), 'of the image');
    assert.equal(await get('/cat?/var/task/own'), 'kept');
    assert.match(await get('/cat?/etc/hosts'), /^127\.0\.0\.1 localhost\n/);
    assert.match(await get('/cat?/etc/passwd'), /^sandbox:x:\d+:\d+:.*\nroot:x:0:0:root:\/:\/bin\/sh\nwww-data:/);
    const [uid, effective] = (await get('/id')).split(' ');
    assert.equal(uid, effective);
    assert.match(await get('/cat?/etc/passwd'), new RegExp(`^sandbox:x:${uid}:`));
    assert.deepEqual(await Promise.all(['FROM', 'BOTH', 'PORT', '_HANDLER'].map((name) => get(`/env?${name}`))), [
      'image',
      'function',
      '80',
      'server',
    ]);
    // The image and what every sandbox has, and nothing of the machine or of the platform.
    assert.deepEqual((await get('/list?/')).split('\n').filter(Boolean).toSorted(), [
      'dev',
      'etc',
      'proc',
      'srv',
      'sys',
      'tmp',
      'usr',
      'var',
    ]);
    assert.deepEqual((await get('/list?/usr')).trim(), 'local');
    assert.deepEqual((await get('/list?/etc')).split('\n').filter(Boolean).toSorted(), ['group', 'hosts', 'passwd', 'resolv.conf']);
    const mounts = (await get('/cat?/proc/self/mountinfo')).trim().split('\n');
    const points = mounts.map((line) => line.split(' ')[4]!).toSorted();
    assert.deepEqual(
      points.filter((point) => !point.startsWith('/dev/')),
      ['/', '/dev', '/proc', '/tmp'],
    );
    for (const line of mounts) if (!/ \/dev\//.test(line)) assert.match(line, / (rw|ro),nosuid/, line);
    for (const path of ['/new', '/srv/new', '/etc/new', '/var/task/new', '/dev/new', '/usr/local/bin/server'])
      assert.match(await get(`/touch?${path}`), /Read-only file system/, path);
    assert.equal(await get('/touch?/tmp/new'), 'done');
    assert.equal(await get('/touch?/sys/new'), 'Read-only file system');
  });

test('images are named, held by the functions that have them, and found again after a restart', { skip }, async (t) => {
  const data = temporaryDirectory(t);
  const first = await startIsolated(t, data);
  if (!first) return;
  const server = compileServer(t);
  const image = (version: string) => ({
    parts: [executable('server', server), { name: 'version', content: version }],
    config: { Entrypoint: ['/server'] },
    tags: ['shop:latest'],
  });
  const one = await push(t, first, image('one'));
  const Environment = { Variables: { HEARTH_WEB_PORT: '8080' } };
  const create = { FunctionName: 'shop', Role: ROLE, PackageType: 'Image' as const, Environment };
  const { client } = first;
  await assert.rejects(
    client.send(new CreateFunctionCommand({ ...create, Code: { ImageUri: '000000000000.example/none:1' } })),
    /no such image was brought here.*docker save.*hearth images push/,
  );
  await client.send(new CreateFunctionCommand({ ...create, Code: { ImageUri: 'shop' } }));
  const version = async (isolated: Isolated, name = 'shop') => {
    const event = { requestContext: { http: { method: 'GET' } }, rawPath: '/cat', rawQueryString: '/version' };
    return ((await isolated.invoke(name, event)).value as { body: string }).body;
  };
  assert.equal(await version(first), 'one');
  await client.send(new PublishVersionCommand({ FunctionName: 'shop', CodeSha256: hexOf(one.digest) }));
  const two = await push(t, first, image('two'));
  assert.deepEqual(two.names, ['shop:latest']);
  await client.send(new UpdateFunctionCodeCommand({ FunctionName: 'shop', ImageUri: 'shop:latest' }));
  assert.equal(await version(first), 'two');
  assert.equal(await version(first, 'shop:1'), 'one');
  for (const [digest, user] of [
    [one.digest, 'shop:1'],
    [two.digest, 'shop:\\$LATEST'],
  ] as const) {
    const refused = await first.platform.hearth(['images', 'delete', digest]);
    assert.match(refused.stderr, new RegExp(`ResourceConflictException: The image ${digest} is used by ${user}\\.`));
  }
  assert.equal(await first.platform.stop(), 0);

  const again = connect(t, await startPlatform(t, [], data));
  assert.equal(await version(again), 'two');
  assert.equal(await version(again, 'shop:1'), 'one');
  await again.client.send(new DeleteFunctionCommand({ FunctionName: 'shop' }));
  for (const digest of [one.digest, two.digest]) await deleted(again, digest);
  assert.deepEqual(await again.platform.json(['images', 'list']), []);
  await assert.rejects(again.client.send(new CreateFunctionCommand({ ...create, Code: { ImageUri: 'shop' } })), /no such image/);
});

/** Instances of a function that was deleted take a moment to end. */
async function deleted({ platform }: Isolated, digest: string): Promise<void> {
  for (;;) {
    const ran = await platform.hearth(['images', 'delete', digest]);
    if (ran.code === 0) return;
    assert.match(ran.stderr, /is still in use\. Try again later/);
  }
}

test('what an image function says takes the place of what its image says', { skip }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const parts = [executable('server', compileServer(t)), { name: 'a/name', content: 'a' }, { name: 'b/name', content: 'b' }];
  const { digest } = await push(t, isolated, { parts, config: { Entrypoint: ['/server'], Cmd: ['wait'], WorkingDir: '/a' } });
  const Environment = { Variables: { HEARTH_WEB_PORT: '3000' } };
  const ImageConfig = { Command: ['3000'], WorkingDirectory: '/b' };
  const created = await isolated.client.send(
    new CreateFunctionCommand({
      FunctionName: 'f',
      Role: ROLE,
      PackageType: 'Image',
      Code: { ImageUri: digest },
      Environment,
      ImageConfig,
    }),
  );
  assert.deepEqual(created.ImageConfigResponse, { ImageConfig });
  const read = async () => {
    const event = { requestContext: { http: { method: 'GET' } }, rawPath: '/cat', rawQueryString: 'name' };
    const { value, error } = await isolated.invoke('f', event);
    return error ? `${error.errorType}: ${error.errorMessage}` : (value as { body: string }).body;
  };
  assert.equal(await read(), 'b');
  const configure = (image: object) =>
    isolated.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'f', ImageConfig: image, Timeout: 30 }));
  await configure({ EntryPoint: ['/server', '3000'] });
  assert.equal(await read(), 'a');
  await configure({ EntryPoint: ['/nowhere'] });
  assert.match(await read(), /^Runtime\.InvalidEntrypoint: .*fork\/exec \/nowhere: no such file or directory/);
  await configure({ Command: ['3000'], WorkingDirectory: '/c' });
  assert.match(await read(), /^Runtime\.InvalidWorkingDir: .*chdir \/c: no such file or directory/);
  await assert.rejects(
    isolated.client.send(new UpdateFunctionCodeCommand({ FunctionName: 'f', ZipFile: zipOf('export const handler = 1') })),
    /^InvalidParameterValueException: Please provide ImageUri when updating a function with packageType Image\.$/,
  );
  for (const [settings, message] of [
    [
      { Runtime: 'nodejs22.x' as const },
      /Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image/,
    ],
    [{ Environment: { Variables: { HEARTH_WEB_PORT: 'x' } } }, /HEARTH_WEB_PORT, "x", is no port/],
  ] as const)
    await assert.rejects(isolated.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'f', ...settings })), message);
});

test('hearth deploy makes a function of an archive alone', { skip }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const { platform } = isolated;
  const file = await archiveFile(t, { parts: [executable('server', compileServer(t))], config: { Entrypoint: ['/server'] } });
  type Deployed = { readonly name: string; readonly url: string; readonly changed: readonly string[] };
  const deploy = (...more: readonly string[]) => platform.json<Deployed>(['deploy', '--image', file, '--web', '8080', ...more]);
  const { name, url, changed } = await deploy('shop');
  assert.deepEqual([name, changed], ['shop', ['created']]);
  const id = new URL(url).hostname.split('.')[0];
  assert.equal(await (await fetch(`${platform.url}/_url/${id}/`)).text(), 'hello');
  assert.deepEqual((await deploy('shop')).changed, []);
  assert.equal((await deploy()).name, 'image');
  const wrong = await platform.hearth(['deploy', '--web', '80']);
  assert.deepEqual([wrong.code, /--web goes with --image/.test(wrong.stderr)], [2, true]);
});
