import assert from 'node:assert/strict';
import { chmodSync, linkSync, lstatSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { linkOrCopy } from './link.ts';

/** What ext4 allows, and some more. */
const NAMES = 65_100;

test('a file that may have no further name is copied, with its mode and time', (t) => {
  const directory = temporaryDirectory(t);
  const source = join(directory, 'source');
  writeFileSync(source, 'content');
  chmodSync(source, 0o555);
  utimesSync(source, 1_500_000_000, 1_500_000_000);
  linkOrCopy(source, join(directory, 'linked'));
  assert.equal(lstatSync(join(directory, 'linked')).ino, lstatSync(source).ino);

  mkdirSync(join(directory, 'names'));
  if (!runOutOfNames(source, join(directory, 'names'))) return t.skip('this file system lets a file have any number of names');
  linkOrCopy(source, join(directory, 'copied'));
  const { ino, mode, mtimeMs } = lstatSync(join(directory, 'copied'));
  assert.notEqual(ino, lstatSync(source).ino);
  assert.deepEqual([mode & 0o777, mtimeMs, readFileSync(join(directory, 'copied'), 'utf8')], [0o555, 1_500_000_000_000, 'content']);
});

function runOutOfNames(source: string, directory: string): boolean {
  for (let i = 0; i < NAMES; i++) {
    try {
      linkSync(source, join(directory, String(i)));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EMLINK');
      return true;
    }
  }
  return false;
}
