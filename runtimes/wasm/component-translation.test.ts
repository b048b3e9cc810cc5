import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/temporary.ts';
import { commandComponent, componentOf, missingTranslator } from './component.testing.ts';
import { translate, translateComponents } from '../../src/adapters/packages/component.ts';

const skip = missingTranslator();
const HEAD = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
const code = 'InvalidParameterValueException';

test('a component is translated to core modules and the code between them; other modules are left alone', { skip }, async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'main.wasm'), await commandComponent());
  writeFileSync(join(directory, 'module.wasm'), '\0asm\x01\0\0\0');
  await translateComponents(directory, false);
  assert.deepEqual(readdirSync(directory).toSorted(), ['main.wasm', 'main.wasm.translated', 'module.wasm']);
  const translated = join(directory, 'main.wasm.translated');
  assert.deepEqual(readdirSync(translated).toSorted(), [
    'component.core.wasm',
    'component.core2.wasm',
    'component.core3.wasm',
    'component.js',
  ]);
  assert.deepEqual([statSync(translated).mode & 0o777, statSync(join(translated, 'component.js')).mode & 0o777], [0o755, 0o644]);
});

test('one that can not be translated is refused with what is wrong; in a zip the reason is kept', { skip }, async (t) => {
  await assert.rejects(translate(Buffer.concat([HEAD, Buffer.from('wrong')])), { code, message: /cannot be translated: [^]*at offset/ });
  await assert.rejects(translate(HEAD), {
    code,
    message: /exports neither wasi:http\/incoming-handler nor wasi:cli\/run of WASI 0\.2, but nothing/,
  });
  const other = await componentOf('(module (func (export "other")))', 'package test:it;\nworld it { export other: func(); }');
  await assert.rejects(translate(other), { code, message: /but other$/ });
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'main.wasm'), other);
  await assert.rejects(translateComponents(directory, true), { code });
  assert.deepEqual(readdirSync(directory), ['main.wasm']);
  await translateComponents(directory, false);
  assert.match(readFileSync(join(directory, 'main.wasm.translated', 'refused'), 'utf8'), /but other$/);
});

test('a package has no say in what the platform makes of components', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'main.wasm.translated'));
  await assert.rejects(translateComponents(directory, false), { code, message: /main\.wasm\.translated, a name that is kept/ });
});
