import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { LIMITS } from '../../kernel/mod.ts';
import { openImages } from './mod.ts';
import type { Images } from './mod.ts';
import { shape } from './shape.testing.ts';
import {
  archiveBytes,
  directory,
  dockerFiles,
  hardlink,
  layoutOf,
  sha256,
  symlink,
  tarBytes,
  writeDirectory,
} from './image-bytes.testing.ts';

const CONFIG = {
  Entrypoint: ['/usr/bin/serve'],
  Cmd: ['--port', '8080'],
  Env: ['PATH=/usr/bin', 'A=1', 'EMPTY=', 'A=2=3'],
  WorkingDir: '/srv/app/',
  User: 'nobody',
  ExposedPorts: { '8080/tcp': {}, '53/udp': {}, '9000': {} },
};

test('an image is the same whatever it comes in: a directory, an archive, of both formats, compressed or not', async (t) => {
  const { root, images } = await setUp(t);
  const layers = [await tarBytes([directory('etc'), { name: 'etc/a', content: 'a' }]), await tarBytes([{ name: 'etc/b', content: 'b' }])];
  const roots = new Set<string>();
  const check = async (source: string) => {
    const image = await images.unpack(source);
    assert.deepEqual(tree(image.root), { 'etc/a': 'a', 'etc/b': 'b' }, source);
    assert.deepEqual(
      image.layers.map((layer) => layer.digest),
      layers.map(sha256),
    );
    roots.add(image.root);
    await images.delete(image.digest);
  };
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    const spec = { layers, compression, config: CONFIG };
    await check(writeDirectory(join(root, `layout-${compression}`), layoutOf(spec)));
    for (const [format, files] of Object.entries({ oci: layoutOf(spec), docker: dockerFiles(spec) })) {
      const source = join(root, `${format}-${compression}.tar`);
      // One of each is enough of those that are compressed as a whole, too.
      const bytes = await archiveBytes(files);
      const whole = format === 'oci' ? gzipSync(bytes) : zstdCompressSync(bytes);
      writeFileSync(source, compression === 'none' ? whole : bytes);
      await check(source);
    }
  }
  assert.equal(roots.size, 1);
});

test('what the configuration says about starting the image is a typed value', async (t) => {
  const { image } = await setUp(t);
  const { config, digest } = await image([[]], CONFIG);
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(config, {
    architecture: 'amd64',
    entrypoint: ['/usr/bin/serve'],
    command: ['--port', '8080'],
    environment: { PATH: '/usr/bin', A: '2=3', EMPTY: '' },
    workingDirectory: '/srv/app',
    exposedPorts: [
      { port: 9000, protocol: 'tcp' },
      { port: 8080, protocol: 'tcp' },
      { port: 53, protocol: 'udp' },
    ],
  });
  const bare = await image([[{ name: 'x' }]], { Entrypoint: null, Cmd: null, Env: null, ExposedPorts: null });
  const nothing = { entrypoint: [], command: [], environment: {}, workingDirectory: '/', exposedPorts: [] };
  assert.deepEqual(bare.config, { architecture: 'amd64', ...nothing });
});

test('an upper layer replaces, removes and empties what is below it, and a later file of the same layer counts', async (t) => {
  const { image } = await setUp(t);
  const { root } = await image([
    [
      { name: 'kept', content: '1' },
      { name: 'replaced', content: '1' },
      { name: 'removed', content: '1' },
      { name: 'dir/removed', content: '1' },
      { name: 'dir/kept', content: '1' },
      { name: 'emptied/a', content: '1' },
      { name: 'emptied/sub/b', content: '1' },
      { name: 'gone/a', content: '1' },
      { name: 'becomes-file/a', content: '1' },
      { name: 'becomes-directory', content: '1' },
      { name: 'made-again', content: '1' },
      { name: 'renewed/old', content: '1' },
      { name: 'device', content: '1' },
    ],
    [
      { name: 'replaced', content: 'x' },
      { name: './/replaced', content: '2' },
      { name: '.wh.removed' },
      { name: '.wh.never-was' },
      { name: 'dir/.wh.removed' },
      { name: 'emptied/.wh..wh..opq' },
      { name: 'emptied/c', content: '2' },
      { name: '.wh.gone' },
      { name: 'becomes-file', content: '2' },
      { name: '/becomes-directory/a', content: '2' },
      { name: 'made-again', content: '2' },
      { name: '.wh.made-again' },
      { name: '.wh.renewed' },
      { name: 'renewed/new', content: '2' },
      { name: 'device', type: 'character-device' },
    ],
    [{ name: 'emptied/sub/d', content: '3' }],
  ]);
  assert.deepEqual(tree(root), {
    'becomes-directory/a': '2',
    'becomes-file': '2',
    'dir/kept': '1',
    'emptied/c': '2',
    'emptied/sub/d': '3',
    kept: '1',
    'made-again': '2',
    'renewed/new': '2',
    replaced: '2',
  });
});

test('modes, times and links are kept; what gives rights, or takes them from the one user, is not', async (t) => {
  const { image } = await setUp(t);
  const mtime = new Date(1_600_000_000_000);
  const { root } = await image([
    [
      { ...directory('private', 0o1700), mtime },
      { ...directory('odd', 0o020), mtime },
      { name: 'private/tool', content: 'x', mode: 0o6755, mtime },
      { name: 'shadow', content: 'x', mode: 0o640 },
      { name: 'for-all', content: 'x', mode: 0o666 },
      { name: 'read-only', content: 'x', mode: 0o444 },
      { name: 'odd/none', content: 'x', mode: 0o020 },
      hardlink('other-tool', 'private/tool'),
      symlink('absolute', '/etc/passwd'),
      symlink('outside', '../../../etc/passwd'),
      hardlink('linked-link', './absolute'),
      { name: 'capable', content: 'x', pax: { 'SCHILY.xattr.security.capability': 'x', 'SCHILY.xattr.user.a': 'b' } },
      { name: 'null', type: 'character-device', mode: 0o666 },
      { name: 'disk', type: 'block-device' },
      { name: 'pipe', type: 'fifo' },
      { name: `long/${'n'.repeat(200)}/${'m'.repeat(200)}`, content: 'long' },
    ],
  ]);
  const mode = (name: string) => (lstatSync(join(root, name)).mode & 0o7777).toString(8);
  assert.deepEqual(['', 'private', 'odd', 'private/tool', 'shadow', 'for-all', 'read-only', 'odd/none'].map(mode), [
    '755',
    '755',
    '700',
    '755',
    '644',
    '644',
    '444',
    '400',
  ]);
  for (const name of ['private', 'odd', 'private/tool']) assert.equal(lstatSync(join(root, name)).mtimeMs, mtime.getTime(), name);
  assert.equal(lstatSync(join(root, 'other-tool')).ino, lstatSync(join(root, 'private/tool')).ino);
  for (const name of ['absolute', 'linked-link']) assert.equal(readlinkSync(join(root, name)), '/etc/passwd');
  assert.equal(readlinkSync(join(root, 'outside')), '../../../etc/passwd');
  assert.equal(readFileSync(join(root, `long/${'n'.repeat(200)}/${'m'.repeat(200)}`), 'utf8'), 'long');
  for (const name of ['null', 'disk', 'pipe']) assert.equal(lstatSync(join(root, name), { throwIfNoEntry: false }), undefined, name);
});

test('no layer reaches through the links of another: what lies behind them stays as it is', async (t) => {
  const { root: outside, image } = await setUp(t);
  mkdirSync(join(outside, 'victim'));
  writeFileSync(join(outside, 'victim/file'), 'untouched');
  const { root } = await image([
    [symlink('a', join(outside, 'victim')), symlink('b', join(outside, 'victim')), symlink('c', join(outside, 'victim/file'))],
    [{ name: 'a/.wh.file' }, { name: 'b/file', content: 'evil' }, { name: 'b/new', content: 'evil' }, { name: 'c', content: 'evil' }],
    [{ name: 'a/.wh..wh..opq' }],
  ]);
  assert.deepEqual(readdirSync(join(outside, 'victim')), ['file']);
  assert.equal(readFileSync(join(outside, 'victim/file'), 'utf8'), 'untouched');
  const a = `link ${join(outside, 'victim')}`;
  assert.deepEqual(shape(root), { a, b: 'directory', 'b/file': 'file evil', 'b/new': 'file evil', c: 'file evil' });
});

test('a layer is on disk once for all images that have it, and goes with the last of them', async (t) => {
  const { directory: path, images, image } = await setUp(t);
  const base = [{ name: 'base', content: 'shared' }];
  const [one, two] = [await image([base, [{ name: 'one' }]]), await image([base, [{ name: 'two' }]])];
  assert.equal(one.layers[0]?.directory, two.layers[0]?.directory);
  const inode = (root: string) => lstatSync(join(root, 'base')).ino;
  assert.equal(inode(one.root), inode(two.root));
  assert.deepEqual((await images.list()).toSorted(), [one.digest, two.digest].toSorted());
  assert.deepEqual([await images.delete(one.digest), await images.delete(one.digest)], [true, false]);
  assert.equal(readdirSync(join(path, 'layers')).length, 2);
  assert.deepEqual(tree((await images.get(two.digest)).root), { base: 'shared', two: '' });
  await images.delete(two.digest);
  assert.deepEqual(readdirSync(join(path, 'layers')), []);
  await assert.rejects(images.get(two.digest), { code: 'ImageNotFound' });
});

test('the same layer may occur twice in an image, and several calls for one image share the work', async (t) => {
  const { root, images } = await setUp(t);
  const layer = await tarBytes([{ name: 'a', content: 'a' }]);
  const source = writeDirectory(join(root, 'source'), layoutOf({ layers: [layer, await tarBytes([{ name: '.wh.a' }]), layer] }));
  const all = await Promise.all([images.unpack(source), images.unpack(source), images.list()]);
  assert.deepEqual(all[0], all[1]);
  assert.deepEqual(tree(all[0].root), { a: 'a' });
});

test('what an earlier run has left half made goes at the next start, and whole images stay', async (t) => {
  const { directory: path, images, image } = await setUp(t);
  const { digest, root } = await image([[{ name: 'a', content: 'a' }]]);
  await images.close();
  mkdirSync(join(path, '.new-killed/files'), { recursive: true });
  mkdirSync(join(path, '.old-killed'));
  mkdirSync(join(path, 'layers', `sha256-${'0'.repeat(64)}`, 'files'), { recursive: true });
  writeFileSync(join(path, 'images/odd'), '');
  const again = await openImages({ directory: path });
  assert.deepEqual(await again.list(), [digest]);
  assert.deepEqual(tree(root), { a: 'a' });
  assert.deepEqual(readdirSync(path).toSorted(), ['images', 'layers']);
  assert.equal(readdirSync(join(path, 'layers')).length, 1);
});

test('a damaged record is told to who asks for its image, takes no layers with it, and goes when that is deleted', async (t) => {
  const { directory: path, images, image } = await setUp(t);
  const [one, two] = [await image([[{ name: 'a' }]]), await image([[{ name: 'b' }]])];
  writeFileSync(join(one.root, '../image.json'), '{');
  await images.delete(two.digest);
  const again = await openImages({ directory: path });
  await assert.rejects(again.get(one.digest), { code: 'StoreFailed', message: /can't be read/ });
  assert.equal(readdirSync(join(path, 'layers')).length, 2);
  await again.delete(one.digest);
  assert.deepEqual(readdirSync(join(path, 'layers')), []);
});

test('unpacking is given up when the images are closed, and leaves nothing behind', async (t) => {
  const { root, directory: path, images } = await setUp(t);
  const source = writeDirectory(join(root, 'source'), layoutOf({ layers: [await tarBytes([{ name: 'a', content: 'a' }])] }));
  const unpacking = [images.unpack(source), images.unpack(source)].map((each) => assert.rejects(each, { code: 'ShuttingDown' }));
  await images.close();
  await Promise.all(unpacking);
  assert.deepEqual(readdirSync(path).toSorted(), ['images', 'layers']);
  assert.deepEqual(readdirSync(join(path, 'images')), []);
});

test('unpacking that takes longer than its limit is ended, and leaves nothing behind', async (t) => {
  const { root, directory: path } = await setUp(t);
  const images = await openImages({ directory: path, limits: { ...LIMITS.images, unpackMs: 1 } });
  const source = writeDirectory(join(root, 'source'), layoutOf({ layers: [await tarBytes([{ name: 'a', content: 'a' }])] }));
  await assert.rejects(images.unpack(source), { code: 'ImageTooLarge', message: /longer than 0.001 s/ });
  assert.deepEqual(readdirSync(path).toSorted(), ['images', 'layers']);
  assert.deepEqual(await images.list(), []);
});

test('images are found by their digests and by their names, which go to who has them last', async (t) => {
  const { root, directory: path, images } = await setUp(t);
  const bring = async (content: string, tags: readonly string[]) => {
    const source = join(root, `${content}.tar`);
    writeFileSync(source, await archiveBytes(dockerFiles({ layers: [await tarBytes([{ name: 'a', content }])] }, tags)));
    return await images.unpack(source);
  };
  const one = await bring('one', ['shop:latest', 'shop:1', 'x'.repeat(513)]);
  assert.deepEqual(one.names, ['shop:latest', 'shop:1']);
  const two = await bring('two', ['shop:latest', 'registry.example:5000/shop']);
  const found = async (...references: readonly string[]) => Promise.all(references.map((each) => images.find(each)));
  const all = [
    'shop',
    'shop:latest',
    'shop:1',
    'shop:2',
    one.digest,
    `anything@${one.digest}`,
    'registry.example:5000/shop',
    'x'.repeat(513),
  ];
  assert.deepEqual(await found(...all), [
    ...[two.digest, two.digest, one.digest, undefined],
    ...[one.digest, one.digest, two.digest, undefined],
  ]);
  assert.deepEqual((await images.get(one.digest)).names, ['shop:1']);
  assert.deepEqual((await bring('one', ['shop:latest'])).names, ['shop:1', 'shop:latest']);

  await images.close();
  const again = await openImages({ directory: path, architecture: 'amd64' });
  closeAfter(t, () => again.close());
  assert.equal(await again.find('shop'), one.digest);
  await again.delete(one.digest);
  assert.deepEqual(await Promise.all(['shop', 'shop:1', one.digest].map((each) => again.find(each))), [undefined, undefined, undefined]);
  writeFileSync(join(path, 'names.json'), '{');
  await assert.rejects(again.find('shop'), { code: 'StoreFailed' });
  assert.equal(await again.find('name@sha256:x').catch(() => 'refused'), 'refused');
});

test('an archive that has been brought before is known, gives its names again, and goes with its image', async (t) => {
  const { root, directory: path, images } = await setUp(t);
  const bring = async (content: string, tags: readonly string[], name?: string) => {
    const bytes = await archiveBytes(dockerFiles({ layers: [await tarBytes([{ name: 'a', content }])] }, tags));
    const source = join(root, `${content}.tar`);
    writeFileSync(source, bytes);
    const archive = sha256(bytes);
    return { archive, image: await images.unpack(source, { archive, ...(name !== undefined && { name }) }) };
  };
  const one = await bring('one', ['shop:1', 'shop:latest'], 'shop:1');
  const two = await bring('two', ['shop:latest']);
  assert.equal(await images.find('shop'), two.image.digest);
  assert.equal(await images.brought(one.archive), undefined);
  const again = await images.brought(one.archive, { name: 'shop:1' });
  assert.equal(again?.digest, one.image.digest);
  assert.equal(await images.find('shop'), one.image.digest);
  await bring('two', ['shop:latest', 'x'.repeat(513)]);
  assert.equal(await images.find('shop'), two.image.digest);

  await images.close();
  const reopened = await openImages({ directory: path, architecture: 'amd64' });
  closeAfter(t, () => reopened.close());
  assert.equal((await reopened.brought(two.archive))?.digest, two.image.digest);
  await reopened.delete(two.image.digest);
  assert.equal(await reopened.brought(two.archive), undefined);
  writeFileSync(join(path, 'archives.json'), '{');
  await assert.rejects(reopened.brought(one.archive), { code: 'StoreFailed' });
});

async function setUp(t: TestContext) {
  const root = temporaryDirectory(t);
  const path = join(root, 'images');
  const images = await openImages({ directory: path, architecture: 'amd64' });
  closeAfter(t, () => images.close());
  return { root, directory: path, images, image: imageMaker(images, root) };
}

function imageMaker(images: Images, root: string) {
  let made = 0;
  return async (layers: readonly (readonly Parameters<typeof tarBytes>[0][number][])[], config: object = {}) => {
    const spec = { layers: await Promise.all(layers.map(tarBytes)), config };
    return images.unpack(writeDirectory(join(root, `source-${made++}`), layoutOf(spec)));
  };
}

/** The content of all files below. */
function tree(root: string): Record<string, string> {
  const files = Object.entries(shape(root)).filter(([, what]) => what.startsWith('file '));
  return Object.fromEntries(files.map(([path, what]) => [path, what.slice('file '.length)]));
}
