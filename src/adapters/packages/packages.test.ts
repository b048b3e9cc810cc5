import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import type { Blobs } from '../../ports/mod.ts';
import { openPackages } from './mod.ts';
import { EVIL, link } from './evil-zips.testing.ts';
import { zipBytes } from './zip-bytes.testing.ts';
import type { ZipPart } from './zip-bytes.testing.ts';

test('a package is unpacked with its directories, its executables and its links', async (t) => {
  const { unpack } = await setUp(t);
  const directory = await unpack([
    { name: 'index.mjs', content: 'export const handler = 1;\n' },
    { name: 'empty/', mode: 0o040755 },
    { name: 'bin/tool', content: '#!/bin/sh\n', mode: 0o100700 },
    { name: './lib//deep/a.txt', content: Buffer.alloc(100_000, 'a') },
    { name: 'lib/setuid', content: 'x', mode: 0o104755, store: true },
    { name: 'node_modules/.bin/tool', content: '../../bin/tool', mode: 0o120777 },
    { name: 'private', content: 'x', mode: 0o100600 },
    { name: 'from-windows', content: 'x', system: 0 },
    { name: 'grüße', content: 'x' },
  ]);
  assert.equal(await readFile(join(directory, 'index.mjs'), 'utf8'), 'export const handler = 1;\n');
  assert.equal((await readFile(join(directory, 'lib/deep/a.txt'))).length, 100_000);
  assert.equal(await readlink(join(directory, 'node_modules/.bin/tool')), '../../bin/tool');
  const mode = async (path: string) => (await lstat(join(directory, path))).mode & 0o7777;
  assert.equal(await mode(''), 0o755);
  assert.equal(await mode('empty'), 0o755);
  assert.equal(await mode('bin/tool'), 0o755);
  assert.equal(await mode('lib/setuid'), 0o755);
  assert.equal(await mode('private'), 0o644);
  assert.equal(await mode('from-windows'), 0o755);
  assert.equal(await readFile(join(directory, 'grüße'), 'utf8'), 'x');
});

for (const [what, parts] of EVIL) {
  test(`a package with ${what} is refused and leaves nothing behind`, async (t) => {
    const { unpack, directory, packages } = await setUp(t);
    await assert.rejects(unpack([{ name: 'index.js', content: 'ok' }, ...parts]), {
      code: 'InvalidParameterValueException',
      message: /^Could not unzip/,
    });
    await packages.close();
    assert.deepEqual(await readdir(directory), ['boot-id']);
  });
}

test('a bomb is refused by what it declares, and by what it really holds', async (t) => {
  const { unpack } = await setUp(t);
  const limit = { code: 'InvalidParameterValueException', message: 'Unzipped size must be smaller than 262144000 bytes' };
  const half: ZipPart = { name: 'a', claims: { size: LIMITS.unzippedBytes / 2 } };
  await assert.rejects(unpack([half, { ...half, name: 'b' }]), limit);
  await assert.rejects(unpack([{ name: 'a', content: Buffer.alloc(50_000_000), claims: { size: 1000 } }]), /size that it declares/);
});

test('a few long names that ask for very many directories are refused before one is made', async (t) => {
  const { unpack, directory, packages } = await setUp(t);
  const deep = Array.from({ length: 400 }, (_, i) => ({ name: `${i}/${'a/'.repeat(400)}f` }));
  await assert.rejects(unpack(deep), { code: 'InvalidParameterValueException', message: /more than 100000 directories/ });
  await packages.close();
  assert.deepEqual(await readdir(directory), ['boot-id']);
});

test('too many entries, no entries, and what is no zip at all are refused', async (t) => {
  const { unpackBytes } = await setUp(t);
  const refused = (pattern: RegExp) => ({ code: 'InvalidParameterValueException', message: pattern });
  const many = Array.from({ length: 3 }, (_, i) => ({ name: `f${i}` }));
  await assert.rejects(unpackBytes(zipBytes(many, { entries: 60_000 })), refused(/^Could not unzip/));
  await assert.rejects(unpackBytes(zip64Claiming(LIMITS.zipEntries + 1)), refused(/100001 entries/));
  await assert.rejects(unpackBytes(zipBytes([])), refused(/non-empty zip/));
  await assert.rejects(unpackBytes(Buffer.from('#!/bin/sh\necho no zip')), refused(/^Could not unzip/));
  await assert.rejects(unpackBytes(Buffer.alloc(0)), refused(/^Could not unzip/));
});

test('a component that is wrong is refused and leaves nothing behind; in a zip it is unpacked with the reason', async (t) => {
  const { unpack, unpackBytes, directory, packages } = await setUp(t);
  const wrong = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 0xff]);
  const refused = { code: 'InvalidParameterValueException', message: /^The WebAssembly component cannot be translated: / };
  await assert.rejects(unpackBytes(wrong), refused);
  await packages.close();
  assert.deepEqual(await readdir(directory), ['boot-id']);
  const unpacked = await unpack([{ name: 'main.wasm', content: wrong }]);
  assert.match(await readFile(join(unpacked, 'main.wasm.translated/refused'), 'utf8'), refused.message);
  await assert.rejects(unpack([{ name: 'module.wasm.translated/component.js', content: 'x' }]), refused);
});

test('bytes flipped anywhere in an archive give the same files or a refusal, and never a file elsewhere', async (t) => {
  const { unpackBytes, directory, root } = await setUp(t);
  const good = zipBytes([
    { name: 'a/b.txt', content: 'hello '.repeat(50) },
    { name: 'c', content: 'x', store: true },
    link('l', 'a/b.txt'),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), async (flips) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of flips) bytes[at] = value;
      const outcome = await unpackBytes(bytes).then(
        () => 'unpacked',
        (error: unknown) => error,
      );
      if (outcome !== 'unpacked')
        assert.ok(outcome instanceof HearthError && outcome.code === 'InvalidParameterValueException', String(outcome));
      assert.deepEqual(await readdir(root), [directory.slice(root.length + 1)]);
    }),
    { numRuns: 150 },
  );
});

test('calls for one package at the same time share one unpacking, and deleting is idempotent', async (t) => {
  const { packages, blobs, directory } = await setUp(t);
  const { sha256 } = await blobs.put(zipBytes([{ name: 'a', content: 'x' }]));
  const all = await Promise.all(Array.from({ length: 5 }, () => packages.unpack(sha256)));
  assert.equal(new Set(all.map((each) => each.directory)).size, 1);
  assert.equal(blobs.reads, 1);
  // As a driver of sandboxes does.
  await mkdir(join(directory, `${sha256}.compiled`));
  await packages.delete(sha256);
  await packages.delete(sha256);
  await packages.close();
  assert.deepEqual(await readdir(directory), ['boot-id']);
  await packages.unpack(sha256);
  assert.equal(blobs.reads, 2);
});

test('who has the package need not have stored it', async (t) => {
  const { packages, blobs } = await setUp(t);
  const zip = zipBytes([{ name: 'a', content: 'x' }]);
  const { directory } = await packages.unpack(createHash('sha256').update(zip).digest('hex'), zip);
  assert.equal(await readFile(join(directory, 'a'), 'utf8'), 'x');
  assert.equal(blobs.reads, 0);
});

test('a package is measured by what unpacking it writes, whether that was done by this process, by one before it, or never', async (t) => {
  const { packages, blobs, directory } = await setUp(t);
  const zip = zipBytes([
    { name: 'a', content: 'x'.repeat(1_000) },
    { name: 'd/', mode: 0o040755 },
    { name: 'd/b', content: 'yy' },
  ]);
  const { sha256 } = await blobs.put(zip);
  await packages.unpack(sha256);
  assert.deepEqual([await packages.measure(sha256), blobs.reads], [1_002, 1]);
  const later = await openPackages({ directory, blobs, bootId: async () => 'boot-1' });
  closeAfter(t, () => later.close());
  assert.deepEqual([await later.measure(sha256), await later.measure(sha256), blobs.reads], [1_002, 1_002, 2]);
  await packages.delete(sha256);
  await blobs.delete(sha256);
  await assert.rejects(packages.measure(sha256), { code: 'BlobNotFound' });
  assert.equal(await packages.measure(sha256, zip), 1_002);
});

test('half-unpacked packages go at the next start, whole ones stay until the machine reboots', async (t) => {
  const { packages, blobs, directory } = await setUp(t);
  const { sha256 } = await blobs.put(zipBytes([{ name: 'a', content: 'x' }]));
  await packages.unpack(sha256);
  await mkdir(join(directory, '.new-killed'));
  await mkdir(join(directory, `${sha256}.compiled`));
  await mkdir(join(directory, `${sha256.replace(/./g, '0')}.compiled`));
  await writeFile(join(directory, '.new-killed', 'half'), 'x');
  const again = await openPackages({ directory, blobs, bootId: async () => 'boot-1' });
  await again.close();
  assert.deepEqual((await readdir(directory)).toSorted(), [sha256, `${sha256}.compiled`, 'boot-id'].toSorted());
  const rebooted = await openPackages({ directory, blobs, bootId: async () => 'boot-2' });
  await rebooted.close();
  assert.deepEqual(await readdir(directory), ['boot-id']);
});

async function setUp(t: TestContext) {
  const root = temporaryDirectory(t);
  const directory = join(root, 'code');
  const blobs = memoryBlobs();
  const packages = await openPackages({ directory, blobs, bootId: async () => 'boot-1' });
  closeAfter(t, () => packages.close());
  const unpackBytes = async (bytes: Buffer) => (await packages.unpack((await blobs.put(bytes)).sha256)).directory;
  return { root, directory, packages, blobs, unpackBytes, unpack: (parts: readonly ZipPart[]) => unpackBytes(zipBytes(parts)) };
}

function memoryBlobs(): Blobs & { reads: number } {
  const stored = new Map<string, Buffer>();
  return {
    reads: 0,
    async put(bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      stored.set(sha256, Buffer.from(bytes));
      return { sha256, bytes: bytes.length };
    },
    async get(sha256) {
      this.reads++;
      const bytes = stored.get(sha256);
      if (!bytes) throw new HearthError('BlobNotFound', `no blob ${sha256}`);
      return bytes;
    },
    has: async (sha256) => stored.has(sha256),
    delete: async (sha256) => void stored.delete(sha256),
    async *list() {
      yield* stored.keys();
    },
  };
}

/** An archive whose zip64 end record claims `entries`. */
function zip64Claiming(entries: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(entries), 32);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  return Buffer.concat([record, locator, end]);
}
