import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { openDataDirectory } from './mod.ts';
import { mountsBelow } from './mounts.ts';

const unusable = (message: RegExp) => ({ name: 'HearthError', code: 'DataDirectoryUnusable', message });

test('a data directory is made with its parents, for its owner only, and found again', async (t) => {
  const path = join(temporaryDirectory(t), 'some', 'where');
  const first = await openDataDirectory({ path });
  assert.equal(statSync(path).mode & 0o777, 0o700);
  for (const directory of [first.blobs, first.code, first.logs, first.run]) assert.equal(statSync(directory).mode & 0o777, 0o700);
  writeFileSync(join(first.code, 'kept'), '');
  writeFileSync(join(first.run, 'left.sock'), '');
  mkdirSync(join(first.run, 'a', 'b'), { recursive: true });
  await first.close();
  await first.close();
  const second = await openDataDirectory({ path });
  closeAfter(t, () => second.close());
  assert.equal(second.storeFile, join(path, 'store.db'));
  assert.deepEqual(readdirSync(second.run), []);
  assert.deepEqual(readdirSync(second.code), ['kept']);
});

test('a directory that is open to others is closed to them', async (t) => {
  const path = temporaryDirectory(t);
  chmodSync(path, 0o755);
  const data = await openDataDirectory({ path });
  closeAfter(t, () => data.close());
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('a second opening in the same process is refused until the first is closed', async (t) => {
  const path = temporaryDirectory(t);
  const first = await openDataDirectory({ path });
  await assert.rejects(openDataDirectory({ path }), {
    code: 'DataDirectoryLocked',
    message: new RegExp(`${path} is in use by process ${process.pid}`),
  });
  await first.close();
  await (await openDataDirectory({ path })).close();
});

test('a pid left behind by a process that is gone neither locks nor is blamed', async (t) => {
  const path = temporaryDirectory(t);
  await (await openDataDirectory({ path })).close();
  writeFileSync(join(path, 'lock.pid'), `${process.pid}\n`);
  const data = await openDataDirectory({ path });
  closeAfter(t, () => data.close());
  writeFileSync(join(path, 'lock.pid'), '999999999\n');
  await assert.rejects(openDataDirectory({ path }), { code: 'DataDirectoryLocked', message: /in use by another process/ });
});

test('a directory with other files in it is refused and left alone', async (t) => {
  const path = temporaryDirectory(t);
  writeFileSync(join(path, 'holiday.jpg'), '');
  chmodSync(path, 0o755);
  await assert.rejects(openDataDirectory({ path }), unusable(/holds other files \(holiday\.jpg\)/));
  assert.deepEqual(readdirSync(path), ['holiday.jpg']);
  assert.equal(statSync(path).mode & 0o777, 0o755);
});

test('a first start that was killed at any moment before its marker does not stand in the way', async (t) => {
  const path = temporaryDirectory(t);
  for (const name of ['lock.db', 'lock.pid', 'hearth.json.1234.tmp']) writeFileSync(join(path, name), '');
  const data = await openDataDirectory({ path });
  closeAfter(t, () => data.close());
  assert.deepEqual(readdirSync(path).toSorted(), ['blobs', 'code', 'hearth.json', 'images', 'lock.db', 'lock.pid', 'logs', 'run']);
});

test('a directory written by a newer Hearth, or with a damaged marker, is refused and says so', async (t) => {
  const path = temporaryDirectory(t);
  await (await openDataDirectory({ path })).close();
  writeFileSync(join(path, 'hearth.json'), '{"hearthData":12}\n');
  await assert.rejects(openDataDirectory({ path }), unusable(/format 12.*newer Hearth/));
  writeFileSync(join(path, 'hearth.json'), '');
  await assert.rejects(openDataDirectory({ path }), unusable(/hearth\.json that cannot be understood/));
});

test('a file in the place of the directory is refused', async (t) => {
  const path = join(temporaryDirectory(t), 'file');
  writeFileSync(path, 'kept');
  await assert.rejects(openDataDirectory({ path }), unusable(/not a directory is in the way/));
  await assert.rejects(openDataDirectory({ path: join(path, 'below') }), unusable(/not a directory is in the way/));
  assert.equal(readFileSync(path, 'utf8'), 'kept');
});

test(
  'what is mounted below run is unmounted, and its files are not deleted',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const base = temporaryDirectory(t);
    const precious = join(base, 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'kept');
    const path = join(base, 'data');
    await (await openDataDirectory({ path })).close();
    const mounted = join(path, 'run', 'with space', 'root');
    mkdirSync(mounted, { recursive: true });
    try {
      execFileSync('mount', ['--bind', precious, mounted], { stdio: 'ignore' });
    } catch {
      t.skip('mount is not allowed here');
      return;
    }
    const data = await openDataDirectory({ path });
    closeAfter(t, () => data.close());
    assert.deepEqual(readdirSync(data.run), []);
    assert.equal(readFileSync(join(precious, 'file'), 'utf8'), 'kept');
    assert.equal(existsSync(mounted), false);
  },
);

test('mount points are read from mountinfo, escapes and lookalikes included', () => {
  const mountinfo = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    '30 22 0:25 / /data/run/a\\040b rw - tmpfs tmpfs rw',
    '31 30 0:26 / /data/run/a\\040b/proc rw - proc proc rw',
    '32 22 0:27 / /data/runner rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  assert.deepEqual(mountsBelow(mountinfo, '/data/run'), ['/data/run/a b', '/data/run/a b/proc']);
});
