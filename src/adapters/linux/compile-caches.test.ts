import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary.ts';
import type { Template } from '../../ports/mod.ts';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

/** Large enough to be worth it. */
const LARGE = `exports.table = ${JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `row ${i}`))};
exports.double = (n) => 2 * n;
`;
/** What init finds of its cache, and what an instance does. */
const SOURCE = `
  const fs = require('node:fs');
  const { getCompileCacheDir } = require('node:module');
  const cached = getCompileCacheDir() === undefined ? undefined : fs.readdirSync(getCompileCacheDir()).length;
  const large = ${LARGE.replaceAll('exports.', 'module.exports.')};
  exports.handler = async () => ({ cached, doubled: module.exports.double(21), tmp: fs.readdirSync('/tmp') });`;

async function setUp(t: TestContext) {
  const directory = temporaryDirectory(t);
  const templates = await openTemplates(t);
  const boot = (compileCache: string, source = SOURCE): Promise<Template> =>
    templates.boot('', { handler: 'large.handler', compileCache }, { 'large.cjs': source });
  return { path: (name: string) => join(directory, 'package.compiled', name), boot };
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let rounds = 0; !holds(); rounds++) {
    assert.ok(rounds < 12_000, 'it does not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The host stores in the background. */
async function stored(path: string): Promise<Buffer> {
  await eventually(() => existsSync(path));
  return readFileSync(path);
}

const answerOf = async (template: Template) => (await valueOf(template.fork())) as { cached?: number; doubled: number; tmp: string[] };

test(
  'what was compiled for a version is there when it boots again, for that version alone, and instances see nothing of it',
  { skip },
  async (t) => {
    const { path, boot } = await setUp(t);
    assert.deepEqual(await answerOf(await boot(path('one'))), { cached: 0, doubled: 42, tmp: [] });
    const bytes = await stored(path('one'));
    assert.ok(bytes.length > 10_000, `${bytes.length} bytes`);
    assert.deepEqual(await answerOf(await boot(path('one'))), { cached: 1, doubled: 42, tmp: [] });
    assert.deepEqual(await stored(path('one')), bytes);
    assert.deepEqual(await answerOf(await boot(path('two'))), { cached: 0, doubled: 42, tmp: [] });
  },
);

test('a small function pays nothing for it', { skip }, async (t) => {
  const { path, boot } = await setUp(t);
  const source = SOURCE.replace(/const large[^]*?\n/, '');
  const small = `module.exports.double = (n) => 2 * n; ${source}`;
  assert.deepEqual(await answerOf(await boot(path('one'), small)), { doubled: 42, tmp: [] });
  assert.equal(existsSync(dirname(path('one'))), false);
});

test('a compile cache that is torn, or is none, only costs time; one that is too large is not looked at', { skip }, async (t) => {
  const { path, boot } = await setUp(t);
  await boot(path('one'));
  const bytes = await stored(path('one'));
  const damaged = [
    bytes.subarray(0, bytes.length / 2),
    bytes.map((byte, i) => (i > 100 && i % 7 === 0 ? byte ^ 0x55 : byte)),
    Buffer.from('../../x'),
  ];
  for (const [i, each] of damaged.entries()) {
    writeFileSync(path(`damaged-${i}`), each);
    assert.equal((await answerOf(await boot(path(`damaged-${i}`)))).doubled, 42);
  }
  writeFileSync(path('large'), Buffer.alloc(9 * 1024 * 1024));
  assert.deepEqual(await answerOf(await boot(path('large'))), { cached: 0, doubled: 42, tmp: [] });
});

test('of the versions of one package a few are kept', { skip }, async (t) => {
  const { path, boot } = await setUp(t);
  for (let i = 0; i < 10; i++) {
    (await boot(path(`v${i}`))).close();
    await stored(path(`v${i}`));
  }
  await eventually(() => readdirSync(dirname(path('v'))).length <= 8);
  assert.ok(existsSync(path('v9')));
});
