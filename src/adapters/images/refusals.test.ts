import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { LIMITS } from '../../kernel/mod.ts';
import type { ErrorCode } from '../../kernel/mod.ts';
import {
  archiveBytes,
  buildImage,
  buildIndex,
  directory,
  dockerFiles,
  hardlink,
  json,
  layoutFiles,
  layoutOf,
  symlink,
  tarBytes,
  writeDirectory,
} from './image-bytes.testing.ts';
import type { Part } from './image-bytes.testing.ts';
import { asImageError } from './errors.ts';
import type { ImageLimits } from './limits.ts';
import { unpackImage } from './unpack.ts';

type Refusal = readonly [what: string, parts: readonly Part[], message: RegExp];

const ENTRIES: readonly Refusal[] = [
  ['a name that climbs', [{ name: '../evil' }], /leaves its directory/],
  ['a name that climbs in the middle', [{ name: 'a/../../evil' }], /leaves its directory/],
  ['an absolute name that climbs', [{ name: '/../evil' }], /leaves its directory/],
  ['a file through a link', [symlink('a', '/tmp'), { name: 'a/evil' }], /something else has that name/],
  [
    'a file through a link that is removed later',
    [symlink('a', '/tmp'), { name: 'a/evil' }, { name: 'a' }],
    /something else has that name/,
  ],
  ['a directory over a link', [symlink('a', '/tmp'), directory('a')], /something else has that name/],
  ['a file below a file', [{ name: 'a' }, { name: 'a/b' }], /something else has that name/],
  ['a file over a directory', [directory('a'), { name: 'a' }], /a directory, and something else/],
  ['a link over a directory', [directory('a'), symlink('a', 'b')], /a directory, and something else/],
  ['a hard link to a directory', [directory('a'), hardlink('b', 'a')], /no file in its layer/],
  ['a hard link to outside', [hardlink('b', '../../../etc/passwd')], /leaves its directory/],
  ['a hard link to what is not there', [hardlink('b', '/etc/passwd')], /no file in its layer/],
  ['a hard link through a link', [symlink('a', '/etc'), hardlink('b', 'a/passwd')], /no file in its layer/],
  ['a hard link to itself', [{ name: 'a' }, hardlink('a', 'a')], /no file in its layer/],
  ['a symbolic link to nothing', [symlink('a', '')], /no usable target/],
  ['a reserved name that climbs', [{ name: 'a/.wh...' }], /reserved name without a meaning/],
  ['a reserved name of nothing', [{ name: '.wh.' }], /reserved name without a meaning/],
  ['a reserved name of its directory', [{ name: 'a/.wh..' }], /reserved name without a meaning/],
  ['a reserved name of another file system', [{ name: '.wh..wh.plnk' }], /reserved name without a meaning/],
  ['a name below a reserved one', [{ name: '.wh.a/b' }], /below a reserved name/],
  ['a zero byte', [{ name: 'a', pax: { path: 'a\0b' } }], /zero byte/],
  ['a name that is not UTF-8', [{ name: 'a\uFFFD' }], /not UTF-8/],
  ['an overlong part', [{ name: 'x'.repeat(256) }], /part of more than 255 bytes/],
  ['a file named as the root', [{ name: './' }, { name: '.', type: 'symlink', linkname: 'x' }], /no name for a file/],
  ['a sparse file', [{ name: 'a', pax: { 'GNU.sparse.major': '1' } }], /sparse/],
];

for (const [what, parts, message] of ENTRIES) {
  test(`a layer with ${what} is refused and leaves nothing behind`, async (t) => {
    const layers = [await tarBytes([{ name: 'base', content: 'x' }]), await tarBytes([{ name: 'first', content: 'x' }, ...parts])];
    await refused(t, layoutOf({ layers }), 'ImageInvalid', message);
  });
}

test('a layer with an entry of an unknown kind, or one that is no file and has content, is refused', async (t) => {
  for (const [type, message] of [
    ['S', /kind that is not known/],
    ['2', /has content/],
    ['5', /has content/],
  ] as const) {
    const layer = withType(await tarBytes([{ name: 'a', content: 'content' }]), type);
    await refused(t, layoutOf({ layers: [layer] }), 'ImageInvalid', message);
  }
});

test('a damaged image is refused: cut off, changed, incomplete, or with something else in it than it says', async (t) => {
  const layer = await tarBytes([{ name: 'a', content: Buffer.alloc(100_000, 'abc') }]);
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    const built = buildImage({ layers: [layer], compression });
    const [name, blob] = Object.entries(built.files).find(([, bytes]) => !isJson(bytes))!;
    const changed = Buffer.from(blob);
    const middle = changed.length >> 1;
    changed[middle] = changed[middle]! ^ 1;
    const layout = (bytes: Buffer | undefined) => {
      const { [name]: _, ...others } = built.files;
      return layoutFiles({ files: bytes ? { ...others, [name]: bytes } : others }, [built.descriptor]);
    };
    await refused(t, layout(changed), 'ImageDamaged');
    await refused(t, layout(blob.subarray(0, -1)), 'ImageDamaged', /bytes that it should have/);
    await refused(t, layout(Buffer.concat([blob, Buffer.from('x')])), 'ImageDamaged', /bytes that it should have/);
    await refused(t, layout(undefined), 'ImageDamaged', /is missing/);
  }
  // Blobs that are what the manifest says, and not what the configuration says.
  const other = await tarBytes([{ name: 'b' }]);
  const docker = dockerFiles({ layers: [layer] });
  await refused(t, await archiveBytes({ ...docker, '0/layer.tar': other }), 'ImageDamaged', /layer.tar, unpacked, has the digest/);
  const config = Object.keys(docker)[0]!;
  const changedConfig = Buffer.from(docker[config]!.toString().replace('linux', 'Linux'));
  await refused(t, await archiveBytes({ ...docker, [config]: changedConfig }), 'ImageDamaged', /has the digest/);
  await refused(t, await archiveBytes({ ...docker, '0/layer.tar': layer.subarray(0, 1000) }), 'ImageDamaged');
  const archive = await archiveBytes(docker);
  await refused(t, archive.subarray(0, archive.length - 50_000), 'ImageDamaged');
  await refused(t, gzipSync(archive).subarray(0, -20), 'ImageDamaged');
  await refused(t, zstdCompressSync(archive).subarray(0, -20), 'ImageDamaged');
});

test('a document that is not what its descriptor says is refused', async (t) => {
  const built = buildImage({ layers: [await tarBytes([{ name: 'a' }])] });
  const { descriptor } = built;
  const manifest = `blobs/sha256/${descriptor.digest.slice(7)}`;
  const bytes = built.files[manifest]!;
  const same = Buffer.from(bytes.toString().replace('"schemaVersion":2', '"schemaVersion":3'));
  await refused(t, layoutFiles({ files: { ...built.files, [manifest]: same } }, [descriptor]), 'ImageDamaged', /has the digest/);
  await refused(t, layoutFiles(built, [{ ...descriptor, size: descriptor.size + 1 }]), 'ImageDamaged', /bytes, not/);
});

test('what is no image is refused, and says why', async (t) => {
  const layers = [await tarBytes([{ name: 'a' }])];
  const layout = layoutOf({ layers });
  await refused(t, Buffer.alloc(0), 'ImageInvalid', /no OCI image layout/);
  await refused(t, Buffer.from('#!/bin/sh\n'.repeat(100)), 'ImageDamaged', /can't be read/);
  await refused(t, await archiveBytes({ 'some/file': Buffer.from('x') }), 'ImageInvalid', /no OCI image layout/);
  await refused(t, { 'some/file': Buffer.from('x') }, 'ImageInvalid', /no OCI image layout/);
  await refused(t, { ...layout, 'index.json': Buffer.from('{') }, 'ImageInvalid', /not JSON/);
  await refused(t, { ...layout, 'index.json': json({ schemaVersion: 2 }) }, 'ImageInvalid', /manifests/);
  await refused(t, { ...layout, 'index.json': json({ schemaVersion: 2, manifests: [] }) }, 'ImageNotFound', /holds no image/);
  await refused(t, { ...layout, 'oci-layout': json({ imageLayoutVersion: '2.0.0' }) }, 'ImageInvalid', /version 2.0.0/);
  await refused(t, layoutFiles({ files: {} }, [{ mediaType: 'x', digest: 'sha256:../../x', size: 1 }]), 'ImageInvalid', /no sha256/);
  await refused(t, layoutOf({ layers: [] }), 'ImageInvalid', /no layers/);
  await refused(t, layoutOf({ layers, config: { Env: ['A'] } }), 'ImageInvalid', /NAME=VALUE/);
  await refused(t, layoutOf({ layers, config: { ExposedPorts: { '70000/tcp': {} } } }), 'ImageInvalid', /PORT/);
  await refused(t, layoutOf({ layers, config: { Cmd: ['a\0b'] } }), 'ImageInvalid', /zero byte/);
  await refused(t, layoutOf({ layers, layerType: 'application/vnd.oci.image.layer.v1.tar+encrypted' }), 'ImageUnsupported', /encrypted/);
  await refused(t, layoutOf({ layers, configType: 'application/vnd.cncf.helm.config.v1+json' }), 'ImageUnsupported', /helm/);
  const { files, descriptor } = buildImage({ layers });
  const old = { ...descriptor, mediaType: 'application/vnd.docker.distribution.manifest.v1+json' };
  await refused(t, layoutFiles({ files }, [old]), 'ImageUnsupported', /manifest.v1/);
  const docker = dockerFiles({ layers });
  const [entry] = JSON.parse(docker['manifest.json']!.toString()) as [object];
  const files2 = { ...docker, 'manifest.json': json([{ ...entry, Layers: ['0/layer.tar', '0/layer.tar'] }]) };
  await refused(t, await archiveBytes(files2), 'ImageInvalid', /2 layers, its configuration 1/);
  await refused(t, docker, 'ImageInvalid', /no OCI image layout/);
});

test('an archive may not name files outside of it, and a layout has no links', async (t) => {
  const docker = dockerFiles({ layers: [await tarBytes([{ name: 'a' }])] });
  const manifest = json([{ Config: '/etc/passwd', Layers: ['../../etc/passwd'] }]);
  await refused(t, await archiveBytes({ ...docker, 'manifest.json': manifest }), 'ImageDamaged', /"\/etc\/passwd" is missing/);
  const parts = Object.entries(docker).map(([name, content]) => ({ name, content }));
  const looping = parts.map((part) => (part.name === '0/layer.tar' ? symlink(part.name, '../0/layer.tar') : part));
  await refused(t, await tarBytes(looping), 'ImageDamaged', /"0\/layer.tar" is missing/);
  await refused(t, await tarBytes([...parts, ...parts]), 'ImageInvalid', /occurs twice/);

  const root = temporaryDirectory(t);
  const layout = writeDirectory(join(root, 'layout'), layoutOf({ layers: [await tarBytes([{ name: 'a' }])] }));
  symlinkSync('/dev/zero', join(root, 'zero'));
  writeFileSync(join(root, 'index.json'), '{}');
  await assert.rejects(unpackFrom(t, join(root, 'zero')), { code: 'ImageInvalid', message: /neither a file nor a directory/ });
  await assert.rejects(unpackFrom(t, join(root, 'nothing')), { code: 'ImageNotFound' });
  renameSync(join(layout, 'index.json'), join(root, 'moved'));
  symlinkSync(join(root, 'moved'), join(layout, 'index.json'));
  await assert.rejects(unpackFrom(t, layout), { code: 'ImageInvalid', message: /ELOOP/ });
});

test('a bomb is stopped by its ratio, by its bytes and by its entries', async (t) => {
  const limits = { ...LIMITS.images, compressionFreeBytes: 100_000 };
  const zeros = [await tarBytes([{ name: 'a', content: Buffer.alloc(4_000_000) }])];
  for (const compression of ['gzip', 'zstd'] as const) {
    await refused(t, layoutOf({ layers: zeros, compression }), 'ImageTooLarge', /more than 500 times/, limits);
    const bytes = layoutOf({ layers: zeros, compression });
    await refused(t, bytes, 'ImageTooLarge', /more than the 1000000 bytes/, { ...LIMITS.images, unpackedBytes: 1_000_000 });
  }
  await refused(t, gzipSync(Buffer.alloc(4_000_000)), 'ImageTooLarge', /more than 500 times/, limits);
  const archive = await archiveBytes(layoutOf({ layers: zeros }));
  await refused(t, archive, 'ImageTooLarge', /1000000 are allowed/, { ...LIMITS.images, archiveBytes: 1_000_000 });
  await refused(t, gzipSync(archive), 'ImageTooLarge', /the 1000000 bytes/, { ...LIMITS.images, archiveBytes: 1_000_000 });
  await refused(t, archive, 'ImageTooLarge', /more than 2 entries/, { ...LIMITS.images, archiveEntries: 2 });

  const few = { ...LIMITS.images, entries: 10 };
  const deep = [await tarBytes([{ name: `${'d/'.repeat(12)}f` }])];
  await refused(t, layoutOf({ layers: deep }), 'ImageTooLarge', /more than 10 entries/, few);
  const many = Array.from({ length: 6 }, (_, i) => ({ name: `f${i}` }));
  await refused(
    t,
    layoutOf({ layers: [await tarBytes(many), await tarBytes([...many, { name: 'g' }])] }),
    'ImageTooLarge',
    /10 entries/,
    few,
  );
  const long = [await tarBytes([{ name: 'n/'.repeat(1200) }])];
  await refused(t, layoutOf({ layers: long }), 'ImageTooLarge', /a name has 2400 bytes/);
  await refused(t, layoutOf({ layers: [await tarBytes([symlink('a', 'n/'.repeat(1200))])] }), 'ImageTooLarge', /the target of/);
  const three = [await tarBytes([]), await tarBytes([]), await tarBytes([])];
  await refused(t, layoutOf({ layers: three }), 'ImageTooLarge', /3 layers; 2 are allowed/, { ...LIMITS.images, layers: 2 });
  await refused(t, layoutOf({ layers: deep }), 'ImageTooLarge', /the document "index.json"/, { ...LIMITS.images, documentBytes: 100 });
});

test('an index that leads round and round, or too far, is left', async (t) => {
  let built = buildImage({ layers: [await tarBytes([{ name: 'a' }])] });
  for (let i = 0; i < 5; i++) built = buildIndex([built.descriptor], built.files);
  await refused(t, layoutFiles(built, [built.descriptor]), 'ImageTooLarge', /3 documents/, { ...LIMITS.images, documents: 3 });
});

test('a full disk, or a mistake of this program, is not the fault of the image', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  assert.deepEqual(
    [full, new TypeError('x is not a function'), 'text'].map((each) => asImageError(each).code),
    ['StoreFailed', 'Internal', 'Internal'],
  );
});

/** Holds that `source`, files of a directory or an archive, is refused so, and that nothing is left of it. */
async function refused(
  t: TestContext,
  source: Buffer | Readonly<Record<string, Buffer>>,
  code: ErrorCode,
  message = /./,
  limits: ImageLimits = LIMITS.images,
): Promise<void> {
  const path = join(temporaryDirectory(t), 'source');
  if (Buffer.isBuffer(source)) writeFileSync(path, source);
  else writeDirectory(path, source);
  await assert.rejects(unpackFrom(t, path, limits), { code, message });
}

async function unpackFrom(t: TestContext, source: string, limits: ImageLimits = LIMITS.images): Promise<void> {
  const directory = temporaryDirectory(t);
  for (const name of ['layers', 'images']) mkdirSync(join(directory, name));
  try {
    await unpackImage({ source, name: undefined, archive: undefined, directory, architecture: 'amd64', limits });
  } finally {
    assert.deepEqual(readdirSync(directory, { recursive: true }).map(String).toSorted(), ['images', 'layers']);
  }
}

/** An archive of one entry, as one of another type. */
function withType(bytes: Buffer, type: string): Buffer {
  const changed = Buffer.from(bytes);
  changed.write(type, 156, 'latin1');
  changed.fill(' ', 148, 156);
  const sum = changed.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return changed;
}

const isJson = (bytes: Buffer): boolean => bytes[0] === 0x7b;
