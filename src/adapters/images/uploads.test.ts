import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { openUploads } from './mod.ts';

const LIMITS = { archiveBytes: 10, uploads: 2, uploadIdleMs: 1_000 };

test('pieces become one file, in their order, whoever asks first', async (t) => {
  const directory = temporaryDirectory(t);
  const uploads = await openUploads({ directory, limits: LIMITS });
  const { id } = await uploads.begin();
  const sizes = await Promise.all([uploads.append(id, 0, Buffer.from('abc')), uploads.append(id, 3, Buffer.from('def'))]);
  assert.deepEqual(sizes, [{ bytes: 3 }, { bytes: 6 }]);
  const [text, digest] = await uploads.take(id, async (path, ofFile) => [readFileSync(path, 'utf8'), ofFile]);
  assert.equal(text, 'abcdef');
  assert.equal(digest, `sha256:${createHash('sha256').update('abcdef').digest('hex')}`);
  assert.deepEqual(readdirSync(directory), []);
  await assert.rejects(uploads.append(id, 6, Buffer.from('x')), { code: 'ResourceNotFoundException' });
});

test('a piece that is sent twice, or left out, is refused, and the upload goes on', async (t) => {
  const uploads = await openUploads({ directory: temporaryDirectory(t), limits: LIMITS });
  const { id } = await uploads.begin();
  await uploads.append(id, 0, Buffer.from('abc'));
  for (const offset of [0, 4]) {
    await assert.rejects(uploads.append(id, offset, Buffer.from('abc')), { code: 'ResourceConflictException', message: /has 3 bytes/ });
  }
  await uploads.append(id, 3, Buffer.from('d'));
  assert.equal(await uploads.take(id, async (path) => readFileSync(path, 'utf8')), 'abcd');
});

test('there are limits: bytes, uploads at a time, and how long one may be silent', async (t) => {
  let nowMs = 0;
  const directory = temporaryDirectory(t);
  const uploads = await openUploads({ directory, limits: LIMITS, monotonicMs: () => nowMs });
  const { id } = await uploads.begin();
  await assert.rejects(uploads.append(id, 0, Buffer.alloc(11)), { code: 'ImageTooLarge' });
  nowMs = 900;
  await uploads.append(id, 0, Buffer.alloc(10));
  nowMs = 950;
  const second = await uploads.begin();
  await assert.rejects(uploads.begin(), { code: 'TooManyRequestsException' });
  nowMs = 1_901;
  const third = await uploads.begin();
  await assert.rejects(uploads.append(id, 10, Buffer.alloc(0)), { code: 'ResourceNotFoundException' });
  assert.deepEqual(readdirSync(directory).toSorted(), [second.id, third.id].toSorted());
  await uploads.cancel(second.id);
  await uploads.cancel(second.id);
  await uploads.close();
  assert.deepEqual(readdirSync(directory), []);
});

test('what is left of an upload goes with its use, also when that fails, and at the next start', async (t) => {
  const directory = temporaryDirectory(t);
  const uploads = await openUploads({ directory });
  const { id } = await uploads.begin();
  await assert.rejects(
    uploads.take(id, () => Promise.reject(new Error('no image'))),
    { message: 'no image' },
  );
  writeFileSync(join(directory, 'left'), 'x');
  await openUploads({ directory });
  assert.deepEqual(readdirSync(directory), []);
});
