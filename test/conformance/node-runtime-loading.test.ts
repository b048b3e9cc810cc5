import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './node-function.ts';

const value = async (t: Parameters<typeof run>[0], files: Record<string, string>, handler = 'index.handler') =>
  (await (await run(t, { files, handler })).invoke()).value;

test('every kind of module is loaded', async (t) => {
  const handler = (answer: string) => `export const handler = async () => '${answer}';`;
  assert.equal(await value(t, { 'index.js': `exports.handler = async () => 'cjs';` }), 'cjs');
  assert.equal(await value(t, { 'index.js': handler('esm'), 'package.json': '{"type":"module"}' }), 'esm');
  assert.equal(await value(t, { 'index.js': handler('detected') }), 'detected');
  assert.equal(await value(t, { 'index.js': `const x = await Promise.resolve('tla'); export const handler = async () => x;` }), 'tla');
  assert.equal(await value(t, { 'index.mjs': `const x = await Promise.resolve('mjs'); export const handler = async () => x;` }), 'mjs');
  assert.equal(await value(t, { 'index.cjs': `exports.handler = async () => 'cjs';`, 'package.json': '{"type":"module"}' }), 'cjs');
});

test('TypeScript is loaded as it is', async (t) => {
  const typed = (answer: string) => `type E = { n: number };\nexport const handler = async (event: E): Promise<string> => '${answer}';`;
  assert.equal(await value(t, { 'index.ts': typed('ts') }), 'ts');
  assert.equal(
    await value(t, {
      'index.ts': `import { a } from './other.ts';\nexport const handler = async (): Promise<string> => a;`,
      'other.ts': `export const a: string = 'imported';`,
    }),
    'imported',
  );
  assert.equal(await value(t, { 'index.mts': typed('mts'), 'package.json': '{"type":"module"}' }), 'mts');
  assert.equal(await value(t, { 'index.cts': `exports.handler = async (event: unknown): Promise<string> => 'cts';` }), 'cts');
});

test('handler strings name directories, nested objects and default exports', async (t) => {
  assert.equal(await value(t, { 'src/lib/fn.js': `exports.api = { get: async () => 'nested' };` }, 'src/lib/fn.api.get'), 'nested');
  assert.equal(await value(t, { 'index.mjs': `export default { handler: async () => 'default' };` }), 'default');
  assert.equal(await value(t, { 'index.js': `exports.handler = async () => 'file';`, 'index/other.txt': '' }), 'file');
  assert.equal(await value(t, { 'node_modules/app/index.js': `exports.handler = async () => 'package';` }, 'app.handler'), 'package');
});

test('import finds the packages of layers, as require does, and those of the function before them', async (t) => {
  const { invoke } = await run(t, {
    files: {
      'index.mjs': `
        import { createRequire } from 'node:module';
        import dual from 'dual';
        import { name } from '@scope/own';
        import { deep } from 'esm/deep';
        const failures = [];
        for (const specifier of ['nowhere', './nowhere.mjs', 'esm/hidden', 'esm/broken'])
          await import(specifier).catch(({ code, message }) => failures.push(code ?? message));
        export const handler = async () => [dual, createRequire(import.meta.url)('dual'), name, deep, failures];`,
      'node_modules/@scope/own/index.mjs': `export const name = 'own';`,
      'node_modules/@scope/own/package.json': '{"exports":"./index.mjs"}',
    },
    environment: { NODE_PATH: '/opt/nodejs/node26/node_modules:/opt/nodejs/node_modules:/nowhere/node_modules' },
    layers: [
      {
        'nodejs/node_modules/dual/package.json': '{"exports":{"import":"./index.mjs","require":"./index.cjs"}}',
        'nodejs/node_modules/dual/index.mjs': `export default 'imported';`,
        'nodejs/node_modules/dual/index.cjs': `module.exports = 'required';`,
        'nodejs/node_modules/@scope/own/index.mjs': `export const name = 'the one of the layer';`,
        'nodejs/node_modules/@scope/own/package.json': '{"exports":"./index.mjs"}',
      },
      {
        'nodejs/node26/node_modules/esm/package.json': '{"type":"module","exports":{"./deep":"./deep.js","./broken":"./broken.js"}}',
        'nodejs/node26/node_modules/esm/deep.js': `import dual from 'dual'; export const deep = 'deep ' + dual;`,
        'nodejs/node26/node_modules/esm/broken.js': `throw new Error('broken');`,
      },
    ],
  });
  assert.deepEqual((await invoke()).value, [
    'imported',
    'required',
    'own',
    'deep imported',
    ['ERR_MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED', 'broken'],
  ]);
});

test('what init leaves behind that a fork would lose is named', async (t) => {
  const blockers = async (body: string) =>
    (await run(t, { files: { 'index.mjs': `${body}\nexport const handler = async () => 1;` } })).template.blockers;
  const kinds = async (body: string) => (await blockers(body)).map(({ kind }) => kind);
  assert.deepEqual(
    await kinds(
      `import 'node:https'; import { readFile } from 'node:fs/promises'; await readFile(process.execPath.slice(0, 0) + '/proc/self/status'); await fetch('data:,x');`,
    ),
    [],
  );
  assert.deepEqual(await kinds(`process.on('SIGTERM', () => {}); setTimeout(() => {}, 1e6).unref();`), []);
  assert.deepEqual(await kinds(`setInterval(() => {}, 1000);`), ['timer']);
  assert.ok(
    (await kinds(`import net from 'node:net'; net.createServer().listen(0); await new Promise((r) => setTimeout(r, 10));`)).includes(
      'socket',
    ),
  );
  assert.ok((await kinds(`import { spawn } from 'node:child_process'; spawn('sleep', ['1000']);`)).includes('child process'));
  assert.ok(
    (
      await kinds(
        `import { Worker } from 'node:worker_threads'; const worker = new Worker('setInterval(() => {}, 1000)', { eval: true }); await new Promise((resolve) => worker.once('online', resolve));`,
      )
    ).includes('worker thread'),
  );
  assert.deepEqual(
    await blockers(`import fs from 'node:fs'; globalThis.fd = fs.openSync('/dev/zero');`).then((found) => found.map(({ kind }) => kind)),
    ['descriptor'],
  );
});
