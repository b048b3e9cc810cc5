import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, realpath, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { fromBufferPromise } from 'yauzl';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { buildProject, packDirectory, readProject } from './mod.ts';

const run = promisify(execFile);

test('a TypeScript project becomes one module and its source map', async (t) => {
  const directory = await projectWith(t, {
    'hearth.json': '{"name":"hello"}',
    'index.ts': `import { greet } from './lib/greet.ts';\nexport const handler = async (event: { name: string }) => greet(event.name);\n`,
    'lib/greet.ts': 'export const greet = (name: string): string => `Hello, ${name}!`;\n',
  });
  const built = await buildProject(await readProject(directory));
  assert.equal(built.handler, 'index.handler');
  const files = await unzip(built.zip);
  assert.deepEqual([...files.keys()], ['index.mjs', 'index.mjs.map']);
  assert.deepEqual(JSON.parse(files.get('index.mjs.map')!.text).sources.length, 2);
  assert.equal(await evaluate(t, files, `(await import('./index.mjs')).handler({ name: 'Ada' })`), 'Hello, Ada!');
});

test('the same sources give the same bytes, whenever they were written', async (t) => {
  const files = { 'hearth.json': '{"name":"hello","include":["data/*.txt"]}', 'index.js': 'export const handler = 1;', 'data/a.txt': 'a' };
  const [first, second] = [await projectWith(t, files), await projectWith(t, files)];
  await utimes(join(second, 'data/a.txt'), 0, 0);
  const zips = [await buildProject(await readProject(first)), await buildProject(await readProject(second))];
  assert.ok(zips[0]!.zip.equals(zips[1]!.zip));
});

test('packages written as CommonJS that require Node modules and look at __dirname work in a bundle of either format', async (t) => {
  const files = {
    'index.ts': `import old from 'old';\nexport const handler = () => old();\n`,
    'node_modules/old/package.json': '{"name":"old","main":"main.js"}',
    'node_modules/old/main.js': `const name = 'pa' + 'th'; const { basename } = require('path'); const late = () => require(name);\nmodule.exports = () => [basename('/a/b'), late().basename('/c/d'), typeof __dirname];\n`,
  };
  for (const format of ['esm', 'cjs']) {
    const directory = await projectWith(t, { ...files, 'hearth.json': JSON.stringify({ name: 'old', format }) });
    const built = await unzip((await buildProject(await readProject(directory))).zip);
    const path = format === 'esm' ? './index.mjs' : './index.cjs';
    assert.deepEqual(await evaluate(t, built, `(await import('${path}')).handler()`), ['b', 'd', 'string'], format);
  }
});

test('external packages come with what they depend on, each in the version that Node would find', async (t) => {
  const manifest = (name: string, version: string, more: object = {}) => JSON.stringify({ name, version, main: 'i.js', ...more });
  const directory = await projectWith(t, {
    'hearth.json': '{"name":"native","external":["native"]}',
    'index.ts': `import native from 'native';\nexport const handler = () => native;\n`,
    'node_modules/native/package.json': manifest('native', '1.0.0', {
      dependencies: { shared: '1', '@scope/helper': '1' },
      optionalDependencies: { 'native-here': '1', 'native-elsewhere': '1' },
    }),
    'node_modules/native/i.js': `module.exports = [require('shared'), require('@scope/helper'), require('native-here')];`,
    'node_modules/native/tool.sh': '#!/bin/sh\n',
    'node_modules/shared/package.json': manifest('shared', '1.0.0'),
    'node_modules/shared/i.js': `module.exports = 'shared 1';`,
    'node_modules/@scope/helper/package.json': manifest('@scope/helper', '1.0.0', { dependencies: { shared: '2', native: '1' } }),
    'node_modules/@scope/helper/i.js': `module.exports = 'helper with ' + require('shared');`,
    'node_modules/@scope/helper/node_modules/shared/package.json': manifest('shared', '2.0.0'),
    'node_modules/@scope/helper/node_modules/shared/i.js': `module.exports = 'shared 2';`,
    'node_modules/unrelated/package.json': manifest('unrelated', '1.0.0'),
    '.store/native-here/package.json': manifest('native-here', '1.0.0'),
    '.store/native-here/i.js': `module.exports = 'here';`,
  });
  await symlink('../.store/native-here', join(directory, 'node_modules/native-here'));
  await chmod(join(directory, 'node_modules/native/tool.sh'), 0o755);
  const files = await unzip((await buildProject(await readProject(directory))).zip);
  assert.deepEqual(await evaluate(t, files, `(await import('./index.mjs')).handler()`), ['shared 1', 'helper with shared 2', 'here']);
  assert.ok(![...files.keys()].some((path) => path.includes('unrelated')));
  assert.equal(files.get('node_modules/native/tool.sh')!.mode & 0o111, 0o111);
});

test('a native package that is not named external is refused with that advice', async (t) => {
  const directory = await projectWith(t, {
    'hearth.json': '{"name":"native"}',
    'index.ts': `import addon from './addon.node';\nexport const handler = () => addon;\n`,
    'addon.node': 'ELF',
  });
  await assert.rejects(buildProject(await readProject(directory)), { code: 'BuildFailed', message: /"external" in hearth.json/ });
});

test('a project of another runtime than Node is built by its own command, and shipped as it is', async (t) => {
  const directory = await projectWith(t, {
    'hearth.json': '{"name":"a","runtime":"provided.al2023","build":"cp source bootstrap && chmod 755 bootstrap"}',
    source: '#!/bin/sh\n',
  });
  const { zip, handler } = await buildProject(await readProject(directory));
  assert.equal(handler, 'bootstrap');
  assert.deepEqual([...(await unzip(zip))], [['bootstrap', { text: '#!/bin/sh\n', mode: 0o100755 }]]);
});

test('a project of a container image names its archive, and nothing that images have themselves', async (t) => {
  const project = async (fields: object) =>
    readProject(await projectWith(t, { 'hearth.json': JSON.stringify({ name: 'shop', ...fields }) }));
  const plain = await project({ image: 'out/image.tar', web: 80, environment: { AB: 'c' } });
  assert.deepEqual([plain.image?.archive.endsWith('/out/image.tar'), plain.environment], [true, { AB: 'c', HEARTH_WEB_PORT: '80' }]);
  const image = { archive: '/image.tar', name: 'shop:1', command: ['serve'], workingDirectory: '/srv' };
  assert.deepEqual((await project({ image })).image, image);
  for (const [field, value] of Object.entries({ runtime: 'nodejs26.x', entry: 'a.ts', handler: 'x', include: [], layers: [] }))
    await assert.rejects(project({ image: 'image.tar', [field]: value }), {
      code: 'BadUsage',
      message: new RegExp(`"${field}" has no meaning beside "image"`),
    });
  await assert.rejects(project({ image: { name: 'x' } }), { code: 'BadUsage', message: /at image/ });
  await assert.rejects(project({ image: 'image.tar', web: 70_000 }), { code: 'BadUsage', message: /web/ });
});

test('what is wrong in a project is named', async (t) => {
  const wrong = async (files: Record<string, string>) => {
    const directory = await projectWith(t, files);
    return readProject(directory).then(buildProject);
  };
  const index = { 'index.ts': 'export const handler = 1;' };
  await assert.rejects(wrong(index), { code: 'BadUsage', message: /there is no .*hearth\.json/ });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{' }), { code: 'BadUsage', message: /is not JSON/ });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{"name":"a b"}' }), { code: 'BadUsage', message: /letters, digits/ });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{"name":"a","memroy":1}' }), { code: 'BadUsage', message: /memroy/ });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{"name":"a","memory":1}' }), { code: 'BadUsage', message: /memory/ });
  await assert.rejects(wrong({ 'hearth.json': '{"name":"a"}' }), { code: 'BadUsage', message: /none of index\.ts/ });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{"name":"a","entry":"b.ts"}' }), {
    code: 'BadUsage',
    message: /b\.ts is not there/,
  });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{"name":"a","external":["nope"]}' }), {
    code: 'BuildFailed',
    message: /nope is not installed/,
  });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{"name":"a","include":["*.csv"]}' }), {
    code: 'BuildFailed',
    message: /no file matches/,
  });
  for (const outside of ['../*/hearth.json', '/etc/passwd', 'a/../../*/hearth.json']) {
    const message = /reaches outside of the project/;
    await assert.rejects(wrong({ ...index, 'a/b': '', 'hearth.json': `{"name":"a","include":["${outside}"]}` }), {
      code: 'BuildFailed',
      message,
    });
  }
  const lost = await projectWith(t, { ...index, 'hearth.json': '{"name":"a","include":["data/*"]}', 'data/a': '' });
  await symlink('nowhere', join(lost, 'data/link'));
  await assert.rejects(readProject(lost).then(buildProject), { code: 'BuildFailed', message: /data\/link, which .* leads nowhere/ });
  await assert.rejects(wrong({ 'hearth.json': '{"name":"a","runtime":"provided","entry":"a.c"}' }), {
    code: 'BadUsage',
    message: /"entry" is for Node/,
  });
  await assert.rejects(wrong({ ...index, 'hearth.json': '{"name":"a","build":"echo why it failed; exit 3"}' }), {
    code: 'BuildFailed',
    message: /ended with 3.*\nwhy it failed/,
  });
  await assert.rejects(wrong({ 'hearth.json': '{"name":"a"}', 'index.ts': 'const = 1;' }), {
    code: 'BuildFailed',
    message: /index\.ts:1:6/,
  });
});

test('a directory becomes a zip of its files as they are, the same one every time', async (t) => {
  const files = { 'bin/tool': '#!/bin/sh\n', 'nodejs/node_modules/a/index.js': '1', '.hidden/b': '2' };
  const made = async () => {
    const directory = await projectWith(t, files);
    await chmod(join(directory, 'bin/tool'), 0o700);
    await symlink('../bin/tool', join(directory, 'nodejs/tool'));
    return directory;
  };
  const [first, second] = [await made(), await made()];
  await utimes(join(second, 'bin/tool'), 0, 0);
  const zip = await packDirectory(first);
  assert.ok(zip.equals(await packDirectory(second)));
  assert.deepEqual(Object.fromEntries(await unzip(zip)), {
    '.hidden/b': { text: '2', mode: 0o100644 },
    'bin/tool': { text: '#!/bin/sh\n', mode: 0o100755 },
    'nodejs/node_modules/a/index.js': { text: '1', mode: 0o100644 },
    'nodejs/tool': { text: '../bin/tool', mode: 0o120777 },
  });
});

test('a directory that no layer can be made of is refused with the reason', async (t) => {
  const refused = async (files: Readonly<Record<string, string>>, prepare: (directory: string) => Promise<unknown>, message: RegExp) => {
    const directory = await projectWith(t, files);
    await prepare(directory);
    await assert.rejects(packDirectory(directory), { code: 'BuildFailed', message });
  };
  await refused({}, async () => {}, /is empty$/);
  await refused({ a: '1' }, (directory) => run('mkfifo', [join(directory, 'pipe')]), /pipe is a device, a pipe or a socket$/);
  // Sparse: it takes no space, and is not read.
  await refused({ a: '1' }, (directory) => truncate(join(directory, 'a'), 251 * 1024 * 1024), /a is too large: it has 263192576 bytes$/);
});

test('packages that come from a layer are neither bundled nor shipped', async (t) => {
  const directory = await projectWith(t, {
    'hearth.json': '{"name":"thin","fromLayers":["heavy"],"layers":["one","two:3","arn:aws:lambda:us-east-1:000000000000:layer:three:1"]}',
    'index.ts': `import heavy from 'heavy';\nexport const handler = () => heavy;\n`,
  });
  const project = await readProject(directory);
  assert.deepEqual(project.layers, ['one', 'two:3', 'arn:aws:lambda:us-east-1:000000000000:layer:three:1']);
  const files = await unzip((await buildProject(project)).zip);
  assert.deepEqual([...files.keys()], ['index.mjs', 'index.mjs.map']);
  assert.match(files.get('index.mjs')!.text, /from ?"heavy"/);
  for (const layers of [['one:0'], ['one two'], Array.from({ length: 6 }, (_, i) => `l${i}`)]) {
    const wrong = await projectWith(t, { 'hearth.json': JSON.stringify({ name: 'wrong', layers }), 'index.ts': '' });
    await assert.rejects(readProject(wrong), { code: 'BadUsage', message: /layers/ });
  }
});

async function projectWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await realpath(temporaryDirectory(t));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  return directory;
}

type Unzipped = ReadonlyMap<string, { readonly text: string; readonly mode: number }>;

async function unzip(zip: Buffer): Promise<Unzipped> {
  const files = new Map<string, { text: string; mode: number }>();
  const archive = await fromBufferPromise(zip);
  for await (const entry of archive.eachEntry()) {
    const content = Buffer.concat(await (await archive.openReadStreamPromise(entry)).toArray());
    files.set(entry.fileName, { text: content.toString('utf8'), mode: entry.externalFileAttributes >>> 16 });
  }
  return files;
}

/** What the expression gives, evaluated by another Node in a directory with just these files. */
async function evaluate(t: TestContext, files: Unzipped, expression: string): Promise<unknown> {
  const directory = await projectWith(t, Object.fromEntries([...files].map(([path, { text }]) => [path, text])));
  const script = join(directory, 'evaluate.mjs');
  await writeFile(script, `console.log(JSON.stringify(await ${expression}));`);
  const { stdout } = await run(process.execPath, [script]);
  return JSON.parse(stdout);
}
