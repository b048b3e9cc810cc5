import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { FileBlobs } from './mod.ts';

test('temporary files that a crash left are swept on opening, and never listed', async (t) => {
  const directory = temporaryDirectory(t);
  await FileBlobs.open({ directory });
  writeFileSync(join(directory, 'tmp', 'half'), 'half a blob');
  const blobs = await FileBlobs.open({ directory });
  assert.deepEqual(readdirSync(join(directory, 'tmp')), []);
  assert.deepEqual(await Array.fromAsync(blobs.list()), []);
});

test('a blob lies two levels deep under its name, readable by its owner only, and nothing temporary is left', async (t) => {
  const directory = temporaryDirectory(t);
  const { sha256 } = await (await FileBlobs.open({ directory })).put(Buffer.from('hello'));
  const file = statSync(join(directory, sha256.slice(0, 2), sha256.slice(2, 4), sha256));
  assert.equal(file.size, 5);
  assert.equal(file.mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(directory, 'tmp')), []);
});

test('a disk that refuses a write is StoreFailed', async (t) => {
  const directory = temporaryDirectory(t);
  const blobs = await FileBlobs.open({ directory });
  rmSync(join(directory, 'tmp'), { recursive: true });
  await assert.rejects(blobs.put(Buffer.from('hello')), { name: 'HearthError', code: 'StoreFailed' });
  assert.deepEqual(await Array.fromAsync(blobs.list()), []);
});

test('a directory that cannot be made is DataDirectoryUnusable', async (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  await assert.rejects(FileBlobs.open({ directory: file }), { name: 'HearthError', code: 'DataDirectoryUnusable' });
});
