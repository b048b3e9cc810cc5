import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { closeAfter } from '../../test/closing.ts';
import { temporaryDirectory } from '../../test/temporary.ts';

const MNT_DETACH = 2;
const skip = process.platform === 'linux' && process.getuid!() === 0 ? false : 'mounting needs Linux, and root';

test('a mount that somebody writes to is made read-only when that is over; one that stays busy is an error', { skip }, async (t) => {
  const { check, libc } = await import('./libc.ts');
  const { makeReadOnly } = await import('./read-only.ts');
  const directory = temporaryDirectory(t);
  check(libc.mount('tmpfs', directory, 'tmpfs', 0n, 'size=64k'), 'mount');
  closeAfter(t, () => check(libc.umount2(directory, MNT_DETACH), 'umount'));
  const path = join(directory, 'file');
  writeFileSync(path, 'before');
  const writer = openSync(path, 'w');
  let pauses = 0;
  assert.throws(() => makeReadOnly(directory, 0n, 'it', () => pauses++), /^Error: make it read-only failed with errno 16$/);
  assert.ok(pauses > 100);
  makeReadOnly(directory, 0n, 'it', () => closeSync(writer));
  assert.throws(() => writeFileSync(path, 'after'), { code: 'EROFS' });
  assert.equal(readFileSync(path, 'utf8'), '');
  assert.throws(() => makeReadOnly(join(directory, 'nowhere'), 0n, 'it'), /^Error: make it read-only failed with errno 2$/);
});
