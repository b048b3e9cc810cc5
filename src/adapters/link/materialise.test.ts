import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { node } from '../../../runtimes/node/description.ts';
import { materialiseRuntime } from './mod.ts';

test('the runtime is written as plain JavaScript whose imports find each other, once', async (t) => {
  const directory = temporaryDirectory(t);
  const [first, second] = await Promise.all([
    materialiseRuntime({ runtime: node, directory }),
    materialiseRuntime({ runtime: node, directory }),
  ]);
  assert.equal(first, second);
  assert.deepEqual(await readdir(directory), [basename(dirname(first))]);
  const names = await readdir(first);
  assert.ok(names.length > 0);
  for (const name of names) {
    assert.match(name, /\.[cm]js$/);
    const text = await readFile(join(first, name), 'utf8');
    for (const [, path] of text.matchAll(/from '(\.[^']+)'/g)) assert.ok(existsSync(join(first, path!)), `${name} imports ${path}`);
  }
});
