import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { convertTexts, convertWat, unpackModule } from './wat.ts';

const TEXT = ';; a module\n(module (func $named (export "_start")))';

test('a bare module becomes module.wasm, from its binary or its text', async (t) => {
  const root = temporaryDirectory(t);
  const from = async (bytes: Uint8Array) => {
    const directory = mkdtempSync(join(root, 'package-'));
    const unpacked = await unpackModule(bytes, directory);
    return unpacked ? readFileSync(join(directory, 'module.wasm')) : readdirSync(directory);
  };
  const binary = Buffer.from('\0asm\x01\0\0\0');
  assert.deepEqual(await from(binary), binary);
  const converted = (await from(Buffer.from(TEXT))) as Buffer;
  assert.deepEqual([converted.subarray(0, 4).toString('latin1'), converted.includes('named')], ['\0asm', true]);
  for (const other of ['PK\x03\x04', '', 'module', '(call me)']) assert.deepEqual(await from(Buffer.from(other)), []);
});

test('a text that is wrong, or too large, is refused with what is wrong', async () => {
  const code = 'InvalidParameterValueException';
  await assert.rejects(convertWat(Buffer.from('(module (func (i32.add)))')), { code, message: /1:16: error: type mismatch/ });
  await assert.rejects(convertWat(Buffer.from('(module')), { code, message: /unexpected token "EOF"/ });
  await assert.rejects(convertWat(Buffer.alloc(1024 * 1024 + 1, ' ')), { code, message: /1048577 bytes; 1048576 is the most/ });
});

test('in a zip main.wat and module.wat are converted where their binary is not there', async (t) => {
  const directory = temporaryDirectory(t);
  for (const name of ['main.wat', 'other.wat']) writeFileSync(join(directory, name), TEXT);
  await convertTexts(directory);
  assert.deepEqual(readdirSync(directory).toSorted(), ['main.wasm', 'main.wat', 'other.wat']);
  writeFileSync(join(directory, 'main.wasm'), 'own');
  await convertTexts(directory);
  assert.equal(readFileSync(join(directory, 'main.wasm'), 'utf8'), 'own');
});
