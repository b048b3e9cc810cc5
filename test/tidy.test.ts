import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOMS } from '../tools/layers.ts';
import { maskNonCode, readSource } from '../tools/source.ts';
import { pathsOfThisMachine, readTree, tidy } from '../tools/tidy.ts';

const root = join(import.meta.dirname, '..');
/** The rules that `text`, standing at `path`, breaks. */
const broken = (path: string, text: string) => tidy([{ path, text }], ['/srv/builder']).map((v) => v.rule);

test('the tree keeps the house rules', () => {
  const files = readTree(root);
  assert.ok(
    files.some((f) => f.path === 'src/kernel/clock.ts'),
    'the tree has been read',
  );
  const violations = tidy(files, pathsOfThisMachine(root));
  assert.equal(violations.map((v) => `${v.path}:${v.line}: ${v.message}`).join('\n'), '');
});

test('in the table an arrow only points down, to rooms that exist', () => {
  for (const [name, room] of Object.entries(ROOMS)) {
    for (const imported of room.imports) {
      assert.ok(ROOMS[imported], `${name} imports ${imported}`);
      assert.ok(ROOMS[imported].layer < room.layer, `${name} imports ${imported}, which is not below it`);
      assert.ok(!imported.startsWith('adapters/') || name === 'main' || name.startsWith('adapters/'), `${name} imports ${imported}`);
    }
  }
});

test('an import upwards, sideways, past the door or out of the rooms is found', () => {
  assert.deepEqual(broken('src/kernel/a.ts', `import { x } from '../engine/mod.ts';`), ['layers']);
  assert.deepEqual(broken('src/engine/a.ts', `import type { X } from '../control/mod.ts';`), ['layers']);
  assert.deepEqual(broken('src/engine/a.ts', `export * from '../adapters/files/mod.ts';`), ['layers']);
  assert.deepEqual(broken('src/engine/a.ts', `const x = await import('../../bench/main.ts');`), ['layers']);
  assert.deepEqual(broken('src/engine/a.test.ts', `import { x } from '../control/mod.ts';`), ['layers']);
  assert.deepEqual(broken('src/engine/a.ts', `import {\n  x,\n  y,\n} from '../ports/store.ts';`), ['door']);
  assert.deepEqual(broken('src/cli/functions.ts', `import { start } from '../main/mod.ts';`), ['layers']);
  assert.deepEqual(broken('src/adapters/linux/a.ts', `import { x } from '../spawn/mod.ts';`), ['layers']);
  assert.deepEqual(broken('src/cellar/a.ts', ''), ['room']);
  assert.deepEqual(broken('src/engine/a.ts', `import { x } from '../ports/mod.ts'; import { y } from './pool.ts';`), []);
  assert.deepEqual(broken('src/cli/up.ts', `const { start } = await import('../main/mod.ts');`), []);
  assert.deepEqual(broken('src/adapters/linux/a.ts', `import { x } from '../link/mod.ts';`), []);
  assert.deepEqual(broken('src/adapters/linux/a.ts', `import { x } from '../../../runtimes/ladder/messages.ts';`), []);
  assert.deepEqual(broken('src/engine/a.ts', `import { x } from '../../runtimes/ladder/messages.ts';`), ['layers']);
  assert.deepEqual(broken('src/engine/a.test.ts', `import { x } from '../adapters/simulated/mod.ts';`), []);
  assert.deepEqual(broken('src/engine/a.ts', `import { x } from '../adapters/simulated/mod.ts';`), ['layers']);
});

test('a package or a module of Node outside its rooms is found', () => {
  assert.deepEqual(broken('src/engine/a.ts', `import { z } from 'zod';`), ['packages']);
  assert.deepEqual(broken('src/api/lambda/a.ts', `import { z } from 'zod'; import { Hono } from 'hono/tiny';`), []);
  assert.deepEqual(broken('src/engine/a.ts', `import { readFile } from 'node:fs/promises';`), ['ambient']);
  assert.deepEqual(broken('src/engine/a.ts', `const { spawn } = require("node:child_process");`), ['ambient']);
  assert.deepEqual(broken('src/engine/a.ts', `import fs from 'fs';`), ['node-prefix']);
  assert.deepEqual(broken('src/gateway/a.ts', `import { createServer } from 'node:http';`), ['ambient']);
  assert.deepEqual(broken('src/gateway/a.ts', `import type { IncomingMessage } from 'node:http';`), []);
  assert.deepEqual(broken('src/gateway/a.ts', `import { type IncomingMessage } from 'node:http';`), []);
  assert.deepEqual(broken('src/engine/a.test.ts', `import { readFile } from 'node:fs/promises'; import fc from 'fast-check';`), []);
  assert.deepEqual(broken('runtimes/node/a.ts', `import { x } from '../../src/protocol/mod.ts';`), ['runtimes']);
  assert.deepEqual(broken('runtimes/node/a.ts', `import { x } from '../ladder/messages.ts';`), []);
  assert.deepEqual(broken('runtimes/node/a.ts', `import { x } from '../python/b.ts';`), ['runtimes']);
  assert.deepEqual(broken('runtimes/ladder/a.ts', `import { x } from '../node/b.ts';`), ['runtimes']);
  assert.deepEqual(broken('runtimes/node/a.ts', `import { z } from 'zod'; import { x } from './b.ts'; import 'node:fs';`), ['runtimes']);
});

test('an ambient clock, random source or environment is found, wherever it hides', () => {
  for (const code of [
    'const t = Date.now();',
    'const t = new Date();',
    'const t = new Date;',
    'const t = String(Date());',
    'const t = performance.now();',
    'const n = [1].map(Math.random);',
    'setTimeout(() => undefined, 10);',
    'const t = `${Date.now()}`;',
    'const half = 4 / 2; const t = Date.now(); const b = 1 / 2;',
    'const e = process.env.HOME;',
    'const id = crypto.randomUUID();',
    'const r = await fetch("http://x");',
    'const s = AbortSignal.timeout(5);',
  ]) {
    assert.deepEqual(broken('src/engine/a.ts', code), ['ambient'], code);
  }
});

test('what only looks like an ambient source is left alone', () => {
  for (const code of [
    '// Date.now() would be wrong here',
    '/* setTimeout( */',
    `const text = 'Date.now()';`,
    'const text = `Math.random() ${1 + 1} setTimeout(`;',
    'const pattern = /["\'`]Date.now()/;',
    'const t = new Date(clock.now()).toISOString();',
    'const ok = x instanceof Date;',
    'const isDate = (value: Date): Date => value;',
    'clock.setTimeout(1); table.fetch(1);',
    'const id = random.bytes(4);',
  ]) {
    assert.deepEqual(broken('src/engine/a.ts', code), [], code);
  }
  assert.deepEqual(broken('src/kernel/clock.ts', 'export const now = () => Date.now();'), []);
  assert.deepEqual(broken('src/main/a.ts', `import 'node:fs'; const t = Date.now();`), []);
  assert.deepEqual(broken('src/engine/a.test.ts', 'setTimeout(() => undefined, 1);'), []);
});

test('constructs that the house does without are found', () => {
  assert.deepEqual(broken('src/engine/a.ts', 'export default function run() {}'), ['default-export']);
  assert.deepEqual(broken('src/engine/a.ts', 'const a = 1;\nexport { a as default };'), ['default-export']);
  assert.deepEqual(broken('examples/hello/index.ts', 'export default 1;'), []);
  assert.deepEqual(broken('src/engine/a.ts', 'export enum Kind { A }'), ['enum']);
  assert.deepEqual(broken('src/engine/a.ts', 'namespace Kinds { }'), ['namespace']);
  assert.deepEqual(broken('src/engine/a.ts', 'try { run() } catch {}'), ['empty-catch']);
  assert.deepEqual(broken('src/engine/a.ts', 'try { run() } catch (error) {\n}'), ['empty-catch']);
  assert.deepEqual(broken('src/engine/a.ts', 'run().catch(() => {});'), ['empty-catch']);
  assert.deepEqual(broken('src/engine/a.ts', 'try { run() } catch {\n  // It is gone already, which is what we want.\n}'), []);
  assert.deepEqual(broken('src/engine/a.test.ts', `test.only('one', () => undefined);`), ['only']);
});

test('whatever a test closes is closed by what keeps the order, and goes on after a failure', () => {
  for (const code of [
    `test('one', (t) => t.after(() => server.close()));`,
    `import { after, test } from 'node:test';`,
    `import { afterEach } from 'node:test';`,
  ])
    for (const path of ['src/engine/a.test.ts', 'test/e2e/a.ts']) assert.deepEqual(broken(path, code), ['closing'], code);
  assert.deepEqual(broken('src/engine/a.test.ts', `import { test } from 'node:test'; clock.after(5, () => undefined); after(items);`), []);
});

test('a long file, a path of one machine and a lock file with addresses are found', () => {
  assert.deepEqual(broken('src/engine/a.ts', '\n'.repeat(401)), ['size']);
  assert.deepEqual(broken('src/engine/a.ts', '\n'.repeat(400)), []);
  assert.deepEqual(broken('docs/a.md', ['see /home', 'ada', 'notes.md'].join('/')), ['path']);
  assert.deepEqual(broken('docs/a.md', 'see /srv/builder/x'), ['path']);
  assert.deepEqual(broken('docs/a.md', 'see out/srv/builder/x and https://example.org/home/ada/x'), []);
  assert.deepEqual(broken('package-lock.json', '{ "resolved": "https://registry.example/x.tgz" }'), ['lock']);
  const lock = (entries: object) =>
    JSON.stringify({ packages: { 'node_modules/a': { optionalDependencies: { b: '1.0.0' } }, ...entries } });
  assert.deepEqual(broken('package-lock.json', lock({})), ['lock']);
  assert.deepEqual(broken('package-lock.json', lock({ 'node_modules/b': { version: '1.0.0' } })), []);
});

test('a violation says where it is and what to do instead', () => {
  const [violation] = tidy([{ path: 'src/engine/a.ts', text: `\nimport { z } from 'zod';\n` }]);
  assert.equal(violation?.line, 2);
  assert.match(violation?.message ?? '', /tools\/layers\.ts/);
});

test('the scanner keeps offsets and knows code from text', () => {
  const text = "a /* b */ + `c ${d + `e ${f}`} g` + 'h' / i / 2; // j\nreturn /k`/.test(l);";
  const masked = maskNonCode(text);
  assert.equal(masked.length, text.length);
  assert.equal(masked.replaceAll(/[^a-z]/g, ''), 'adfireturntestl');
  assert.deepEqual(
    readSource('a.ts', `import a from "x"; // import b from 'y'\nexport { c } from 'z'; import('w');`).imports.map((i) => i.specifier),
    ['x', 'z', 'w'],
  );
});
