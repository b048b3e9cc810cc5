import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { commandComponent, componentOf, httpComponent, missingTranslator } from '../../runtimes/wasm/component.testing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { pathForm, startPlatform } from './cli-platform.ts';
import type { Platform } from './cli-platform.ts';

const skip = missingTranslator();

async function deploy(t: TestContext, platform: Platform, name: string, component: Uint8Array): Promise<string> {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'main.wasm'), component);
  writeFileSync(
    join(directory, 'hearth.json'),
    JSON.stringify({ name, runtime: 'wasm', include: ['main.wasm'], memory: 128, timeout: 5, url: true }),
  );
  return pathForm(platform, (await platform.json<{ url: string }>(['deploy', directory])).url);
}

const fails = async (platform: Platform, name: string): Promise<Record<string, string>> =>
  JSON.parse((await platform.hearth(['invoke', name])).stdout) as Record<string, string>;

test(
  'a component answers at its function URL, without what it is not granted; one that loops is ended, and the next request is served',
  { skip },
  async (t) => {
    const platform = await startPlatform(t);
    const url = await deploy(t, platform, 'http', await httpComponent());
    const post = async (path: string): Promise<readonly [number, string]> => {
      const answer = await fetch(`${url}${path}`, { method: 'POST', body: 'grüße' });
      return [answer.status, await answer.text()];
    };
    for (let i = 0; i < 2; i++) assert.deepEqual(await post('/e'), [201, 'grüße']);
    assert.equal((await post('/r'))[0], 502);
    assert.equal((await post('/l'))[0], 504);
    assert.deepEqual(await post('/e'), [201, 'grüße']);
    assert.equal((await fails(platform, 'http'))['errorType'], 'Wasm.InvalidEvent');
    await platform.json(['wasm', 'grant', 'http', 'random']);
    assert.deepEqual(await post('/r'), [201, 'grüße']);
  },
);

test('without isolation components run as well', { skip }, async (t) => {
  const platform = await startPlatform(t, ['--driver', 'spawn']);
  const url = await deploy(t, platform, 'http', await httpComponent());
  for (let i = 0; i < 2; i++) assert.equal(await (await fetch(`${url}/e`, { method: 'POST', body: 'hello' })).text(), 'hello');
});

test('a command gets its event; what is no component of these worlds says so when it is loaded', { skip }, async (t) => {
  const platform = await startPlatform(t);
  await deploy(t, platform, 'command', await commandComponent());
  assert.equal((await platform.hearth(['invoke', 'command', '--payload', '{"a":[1]}'])).stdout.trim(), '{"a":[1]}');
  const other = await componentOf('(module (func (export "other")))', 'package test:it;\nworld it { export other: func(); }');
  await deploy(t, platform, 'other', other);
  const { errorType, errorMessage } = await fails(platform, 'other');
  assert.equal(errorType, 'Runtime.InvalidModule');
  assert.match(errorMessage!, /main\.wasm: .*exports neither wasi:http\/incoming-handler nor wasi:cli\/run/);
});
