import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';
import { startPlatform } from './cli-platform.ts';

type Published = { readonly version: number; readonly arn: string; readonly changed: boolean };
type Deployed = { readonly changed: readonly string[] };

test('a layer is published from a directory, used by a project, replaced and deleted', async (t) => {
  const platform = await startPlatform(t);
  const cwd = temporaryDirectory(t);
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(cwd, path)), { recursive: true });
    await writeFile(join(cwd, path), text);
  };
  const manifest = '{"name":"greeting","exports":"./index.mjs"}';
  await write('layer/nodejs/node_modules/greeting/package.json', manifest);
  await write('layer/nodejs/node_modules/greeting/index.mjs', `export default 'Hello';`);
  const publish = (...more: string[]) => platform.json<Published>(['layers', 'publish', 'greeting', 'layer', ...more], { cwd });
  const about = ['--runtime', 'nodejs26.x', '--runtime', 'nodejs24.x', '--description', 'words'];

  assert.match((await platform.hearth(['layers', 'list'])).stdout, /^No layers yet/);
  const first = await publish(...about);
  assert.deepEqual([first.version, first.changed], [1, true]);
  assert.deepEqual(await publish(...about), { ...first, changed: false });

  await write('app/hearth.json', JSON.stringify({ name: 'app', fromLayers: ['greeting'], layers: ['greeting'] }));
  await write('app/index.ts', `import greeting from 'greeting';\nexport const handler = async () => greeting;\n`);
  const deploy = async () => (await platform.json<Deployed>(['deploy', 'app'], { cwd })).changed;
  const answer = async () => (await platform.hearth(['invoke', 'app'])).stdout.trim();
  assert.deepEqual(await deploy(), ['created']);
  assert.equal(await answer(), '"Hello"');
  assert.deepEqual(await deploy(), []);
  assert.match(
    (await platform.hearth(['get', 'app'])).stdout,
    /layers +arn:aws:lambda:us-east-1:000000000000:layer:greeting:1 \(\d+ B\)\n/,
  );

  await write('layer/nodejs/node_modules/greeting/index.mjs', `export default 'Welcome';`);
  assert.deepEqual([(await publish()).version, await answer()], [2, '"Hello"']);
  assert.deepEqual(await deploy(), ['configuration']);
  assert.equal(await answer(), '"Welcome"');

  assert.match((await platform.hearth(['layers', 'list'])).stdout, /^NAME.*\ngreeting +2 /);
  const versions = (await platform.hearth(['layers', 'list', 'greeting'])).stdout;
  assert.match(versions, /^VERSION.*\n2 .*\n1 .* nodejs26\.x, nodejs24\.x +words\n$/);
  assert.equal((await platform.hearth(['layers', 'delete', 'greeting', '2'])).code, 0);
  await write('app/hearth.json', JSON.stringify({ name: 'app', timeout: 5, fromLayers: ['greeting'], layers: ['greeting:2'] }));
  assert.deepEqual([await deploy(), await answer()], [['configuration'], '"Welcome"'], 'it keeps a deleted version');
  await write('app/hearth.json', JSON.stringify({ name: 'app', timeout: 5, fromLayers: ['greeting'] }));
  assert.deepEqual(await deploy(), ['configuration']);
  assert.match((await platform.hearth(['invoke', 'app'])).stdout, /ImportModuleError/);

  const failure = async (...args: string[]) => {
    const { stderr, code } = await platform.hearth(args, { cwd });
    return [code, /^error (\w+)/.exec(stderr)?.[1]];
  };
  assert.deepEqual(await failure('layers', 'delete', 'greeting', '2'), [1, 'ResourceNotFoundException']);
  assert.deepEqual(await failure('layers', 'delete', 'greeting', 'two'), [2, 'BadUsage']);
  assert.deepEqual(await failure('layers', 'publish', 'greeting', 'nowhere'), [2, 'BadUsage']);
  assert.deepEqual(await failure('layers', 'publish', 'greeting', 'app/hearth.json'), [1, 'InvalidParameterValueException']);
  await write('app/hearth.json', JSON.stringify({ name: 'app', layers: ['nobody'] }));
  await write('app/index.ts', 'export const handler = async () => 1;\n');
  assert.deepEqual(await failure('deploy', 'app'), [1, 'ResourceNotFoundException']);
});
