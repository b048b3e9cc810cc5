/** Layers in real sandboxes, as root and as an ordinary user, and where there are none. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import * as sdk from '@aws-sdk/client-lambda';
import { link } from '../../src/adapters/packages/evil-zips.testing.ts';
import { zipBytes } from '../../src/adapters/packages/zip-bytes.testing.ts';
import type { ZipPart } from '../../src/adapters/packages/zip-bytes.testing.ts';
import { startPlatform } from './cli-platform.ts';
import { connect, eventually, startIsolated } from './platform.ts';
import type { Isolated } from './platform.ts';
import { USERS } from './users.ts';

const EXECUTABLE = 0o100755;

async function publish({ client }: Isolated, LayerName: string, parts: readonly ZipPart[]): Promise<string> {
  const published = await client.send(new sdk.PublishLayerVersionCommand({ LayerName, Content: { ZipFile: zipBytes(parts) } }));
  return published.LayerVersionArn!;
}

const configure = ({ client }: Isolated, FunctionName: string, Layers: string[]) =>
  client.send(new sdk.UpdateFunctionConfigurationCommand({ FunctionName, Layers }));
const remove = ({ client }: Isolated, LayerName: string, VersionNumber = 1) =>
  client.send(new sdk.DeleteLayerVersionCommand({ LayerName, VersionNumber }));

const moduleOf = (name: string, text: string): ZipPart => ({
  name: `nodejs/node_modules/${name}/index.mjs`,
  content: `export default ${JSON.stringify(text)};`,
});
const manifestOf = (name: string): ZipPart => ({ name: `nodejs/node_modules/${name}/package.json`, content: '{"exports":"./index.mjs"}' });

const READER = `
  import { execFileSync } from 'node:child_process';
  import fs from 'node:fs';
  import greeting from 'greeting';
  const read = (path) => { try { return fs.readFileSync(path, 'utf8'); } catch ({ code }) { return code; } };
  const write = (path) => { try { fs.writeFileSync(path, 'x'); return 'written'; } catch ({ code }) { return code; } };
  const mode = (path) => (fs.statSync(path).mode & 0o7777).toString(8);
  export const handler = async () => ({
    greeting,
    files: fs.readdirSync('/opt').toSorted(),
    covered: read('/opt/covered'),
    below: read('/opt/own/one'),
    linked: read('/opt/linked'),
    said: execFileSync('said').toString(),
    modes: ['/opt/bin/said', '/opt/covered'].map(mode),
    writes: ['/opt/new', '/opt/covered', '/opt/own/one'].map(write),
    packages: fs.readdirSync('/.packages'),
  });`;

const LAYERS: readonly (readonly ZipPart[])[] = [
  [
    moduleOf('greeting', 'Hello from a layer'),
    manifestOf('greeting'),
    { name: 'covered', content: 'first' },
    { name: 'bin/said', content: '#!/bin/sh\necho first\n', mode: EXECUTABLE },
    { name: 'own/one', content: 'of the first', mode: 0o104755 },
    link('linked', 'covered'),
  ],
  [
    { name: 'covered', content: 'second', mode: 0o100600 },
    { name: 'bin/said', content: '#!/bin/sh\necho second\n', mode: EXECUTABLE },
    { name: 'second', content: '' },
  ],
];

const EXPECTED = {
  greeting: 'Hello from a layer',
  files: ['bin', 'covered', 'linked', 'nodejs', 'own', 'second'],
  covered: 'second',
  below: 'of the first',
  linked: 'second',
  said: 'second\n',
  modes: ['755', '644'],
  writes: ['EROFS', 'EROFS', 'EROFS'],
  packages: [],
};

for (const user of USERS) {
  test(`layers are merged at /opt in their order, read-only, for a platform of ${user}`, async (t) => {
    const isolated = await startIsolated(t, undefined, user);
    if (!isolated) return;
    const [first, second] = await Promise.all(LAYERS.map((parts, i) => publish(isolated, `layer${i}`, parts)));
    await isolated.create('reader', READER, { Layers: [first!, second!], Timeout: 20 });
    const answer = await isolated.invoke('reader');
    assert.deepEqual(answer.value, EXPECTED, answer.log);
    await configure(isolated, 'reader', [second!, first!]);
    const reversed = { ...EXPECTED, covered: 'first', linked: 'first', said: 'first\n' };
    assert.deepEqual((await isolated.invoke('reader')).value, reversed);
    await configure(isolated, 'reader', [first!]);
    const alone = { ...reversed, files: EXPECTED.files.filter((name) => name !== 'second') };
    assert.deepEqual((await isolated.invoke('reader')).value, alone);
    // Two layers with the same content are one directory.
    const same = await publish(isolated, 'same', LAYERS[0]!);
    await configure(isolated, 'reader', [first!, second!, same]);
    assert.deepEqual((await isolated.invoke('reader')).value, reversed);
    await configure(isolated, 'reader', []);
    const { error } = await isolated.invoke('reader');
    assert.equal(error?.errorType, 'Runtime.ImportModuleError');
    await isolated.healthy();
  });
}

test('five layers, of which each covers a file of the ones before', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const parts = (i: number) => Array.from({ length: 5 - i }, (_, file) => ({ name: `files/${file}`, content: String(i) }));
  const arns = await Promise.all(Array.from({ length: 5 }, (_, i) => publish(isolated, `l${i}`, parts(i))));
  const source = `import fs from 'node:fs';
    export const handler = async () => fs.readdirSync('/opt/files').map((name) => fs.readFileSync('/opt/files/' + name, 'utf8')).join('');`;
  await isolated.create('five', source, { Layers: arns });
  assert.equal((await isolated.invoke('five')).value, '43210');
});

test('a function sees its own layers only, and a link in one leads nowhere outside of the sandbox', async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const secret = randomUUID();
  const mine = await publish(isolated, 'mine', [{ name: 'secret', content: secret }]);
  const climbing = [link('up/a/b', '../..'), link('up/self', 'a/b'), { name: 'file', content: 'x' }];
  const other = await publish(isolated, 'other', climbing);
  const source = `import { execFileSync } from 'node:child_process';
    export const handler = async () => execFileSync('/bin/sh', ['-c', 'grep -rs ${secret} / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr --exclude-dir=task; find -L /opt -maxdepth 6 2>&1 | grep -c packages; true']).toString();`;
  await isolated.create('owner', source, { Layers: [mine], Timeout: 30, MemorySize: 512 });
  await isolated.create('spy', source, { Layers: [other], Timeout: 30, MemorySize: 512 });
  assert.match((await isolated.invoke('owner')).value as string, /^\/opt\/secret:/);
  assert.equal((await isolated.invoke('spy')).value, '0\n');
});

test('layers survive kill -9, also deleted ones that functions have, and their packages go with the last one', async (t) => {
  const first = await startIsolated(t);
  if (!first) return;
  const arns = [await publish(first, 'layer0', LAYERS[0]!), await publish(first, 'layer1', LAYERS[1]!)];
  await first.create('reader', READER, { Layers: arns, Publish: true, Timeout: 20 });
  await remove(first, 'layer1');
  assert.deepEqual((await first.invoke('reader')).value, EXPECTED);
  const data = first.platform.data;
  await first.platform.stop('SIGKILL');

  const isolated = await startIsolated(t, data);
  assert.ok(isolated);
  assert.deepEqual((await isolated.invoke('reader')).value, EXPECTED);
  assert.match(await publish(isolated, 'layer1', [{ name: 'x', content: 'x' }]), /:layer1:2$/);
  await configure(isolated, 'reader', [arns[0]!]);
  const old = await isolated.client.send(new sdk.InvokeCommand({ FunctionName: 'reader', Qualifier: '1' }));
  assert.deepEqual(JSON.parse(old.Payload!.transformToString()), EXPECTED);
  await isolated.remove('reader');
  await remove(isolated, 'layer0');
  await remove(isolated, 'layer1', 2);
  const left = async () => (await readdir(join(data, 'code'))).filter((name) => /^[0-9a-f]{64}/.test(name));
  await eventually(async () => assert.deepEqual(await left(), []));
});

const curl = spawnSync('sh', ['-c', 'command -v curl']).status === 0;

test('the bootstrap of a custom runtime comes from a layer', { skip: curl ? false : 'there is no curl' }, async (t) => {
  const isolated = await startIsolated(t);
  if (!isolated) return;
  const bootstrap = `#!/bin/sh
    api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
    while true; do
      curl -sS -D /tmp/head -o /dev/null "$api/next"
      id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip' /tmp/head)
      curl -sS -o /dev/null --data-binary "\\"$(cat "$LAMBDA_TASK_ROOT/$_HANDLER")\\"" "$api/$id/response"
    done
  `;
  const layer = await publish(isolated, 'runtime', [{ name: 'bootstrap', content: bootstrap, mode: EXECUTABLE }]);
  const settings = { Runtime: 'provided.al2023' as const, Handler: 'data', Layers: [layer] };
  await isolated.create('custom', { data: 'content of the function' }, settings);
  assert.equal((await isolated.invoke('custom')).value, 'content of the function');
});

test('without sandboxes a function finds the packages and the programs of its layers by the paths in its environment', async (t: TestContext) => {
  const isolated = connect(t, await startPlatform(t, ['--driver', 'spawn']));
  const arns = await Promise.all(LAYERS.map((parts, i) => publish(isolated, `layer${i}`, parts)));
  const source = `
    import { execFileSync } from 'node:child_process';
    import greeting from 'greeting';
    export const handler = async () => [greeting, execFileSync('said').toString()];`;
  await isolated.create('reader', source, { Layers: arns });
  assert.deepEqual((await isolated.invoke('reader')).value, ['Hello from a layer', 'second\n']);
});
