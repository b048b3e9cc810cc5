import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { openDirectory } from './directory.ts';
import { archiveBytes, dockerFiles, hardlink, layoutOf, sha256, symlink, tarBytes } from './image-bytes.testing.ts';
import type { Part } from './image-bytes.testing.ts';
import { unpackLayer } from './layer.ts';
import { mergeLayers } from './merge.ts';
import type { UnpackedLayer } from './merge.ts';
import { shape } from './shape.testing.ts';
import type { Shape } from './shape.testing.ts';
import { unpackImage } from './unpack.ts';

const limits = LIMITS.images;

/** Few names, so that entries meet: as files, links, directories and whiteouts of each other. */
const part = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', 'b', 'c') },
  { weight: 3, arbitrary: fc.constantFrom('.wh.a', '.wh.b', '.wh..wh..opq', '.', '') },
  { weight: 1, arbitrary: fc.constantFrom('..', '.wh...', '.wh.') },
);
const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const target = fc.oneof(name, fc.constantFrom('/', '..', '../../victim', '../../../victim/file', 'a', '../b'));
const kind = fc.constantFrom('file', 'file', 'directory', 'symlink', 'link', 'fifo', 'character-device');
const entry: fc.Arbitrary<Part> = fc
  .record({ name, kind, target, content: fc.constantFrom('', 'evil', 'more'), mode: fc.nat(0o7777) })
  .map(({ name: path, kind: type, target: linkname, content, mode }): Part => {
    if (type === 'file') return { name: path, content, mode };
    if (type === 'symlink') return { ...symlink(path, linkname), mode };
    if (type === 'link') return { ...hardlink(path, linkname), mode };
    return { name: path, type, mode };
  });

test('whatever entries layers have: nothing outside is touched, nothing odd is made, and the root is what the layers say', async (t) => {
  const outer = temporaryDirectory(t);
  mkdirSync(join(outer, 'victim'));
  writeFileSync(join(outer, 'victim/file'), 'untouched');
  let merged = 0;
  const unpackAll = async (work: string, layers: readonly (readonly Part[])[]) => {
    const unpacked: UnpackedLayer[] = [];
    for (const [i, parts] of layers.entries()) {
      const bytes = await tarBytes(parts);
      writeFileSync(join(work, `${i}.tar`), bytes);
      const directory = join(work, `layer-${i}`);
      mkdirSync(directory);
      const layer = { file: `${i}.tar`, diffId: sha256(bytes) as `sha256:${string}` };
      const marks = await unpackLayer({ files: openDirectory(work, limits), layer, directory, left: { bytes: 1e6, entries: 100 }, limits });
      unpacked.push({ directory, marks });
    }
    return unpacked;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 8 }), { minLength: 1, maxLength: 3 }), async (layers) => {
      const work = join(outer, 'work');
      mkdirSync(work);
      try {
        const unpacked = await unpackAll(work, layers).catch(refusal);
        if (!unpacked) return;
        const root = join(work, 'root');
        mkdirSync(root);
        mergeLayers(unpacked, root);
        assert.deepEqual(shape(root), expected(unpacked));
        merged++;
      } finally {
        rmSync(work, { recursive: true });
        assert.deepEqual(readdirSync(outer, { recursive: true }).map(String).toSorted(), ['victim', 'victim/file']);
        assert.equal(readFileSync(join(outer, 'victim/file'), 'utf8'), 'untouched');
      }
    }),
    { numRuns: 600 },
  );
  assert.ok(merged > 50, `${merged} of the cases were unpacked`);
});

test('bytes flipped anywhere in an archive, or its end cut off, give the same image or a refusal', async (t) => {
  const directory = temporaryDirectory(t);
  for (const each of ['layers', 'images']) mkdirSync(join(directory, each));
  const layers = [
    await tarBytes([{ name: 'a/b', content: 'hello '.repeat(50) }, symlink('l', 'a/b')]),
    await tarBytes([{ name: '.wh.l' }]),
  ];
  const spec = { layers, compression: 'gzip' as const };
  const whole = [await archiveBytes(layoutOf(spec)), await archiveBytes(dockerFiles(spec))];
  const archives = [...whole, gzipSync(whole[0]!)];
  const source = join(temporaryDirectory(t), 'source');
  const flip = fc.record({ at: fc.nat(1_000_000), value: fc.nat(255) });
  const change = fc.record({
    flips: fc.array(flip, { maxLength: 3 }),
    keep: fc.option(fc.nat(1_000_000)),
    which: fc.nat(archives.length - 1),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ flips, keep, which }) => {
      const bytes = Buffer.from(archives[which]!);
      for (const { at, value } of flips) bytes[at % bytes.length] = value;
      writeFileSync(source, keep === null ? bytes : bytes.subarray(0, keep % bytes.length));
      const image = await unpackImage({ source, name: undefined, archive: undefined, directory, architecture: 'amd64', limits }).catch(
        refusal,
      );
      if (image) assert.deepEqual(shape(image.root), { a: 'directory', 'a/b': `file ${'hello '.repeat(50)}` });
      // What images are called is written down with the first one that has a name.
      assert.deepEqual(
        readdirSync(directory)
          .filter((name) => name !== 'names.json')
          .toSorted(),
        ['images', 'layers'],
      );
    }),
    { numRuns: 200 },
  );
});

/** Undefined for a refusal; everything else is a failure of the test. */
function refusal(error: unknown): undefined {
  assert.ok(error instanceof HearthError && /^Image/.test(error.code), String(error instanceof Error ? error.stack : error));
}

/** The same another way: from the lowest layer to the uppermost, in memory. */
function expected(layers: readonly UnpackedLayer[]): Shape {
  let all: Shape = {};
  const removeBelow = (path: string) => (all = Object.fromEntries(Object.entries(all).filter(([each]) => !each.startsWith(`${path}/`))));
  for (const { directory, marks } of layers) {
    for (const path of marks.opaque) {
      if (path === '') all = {};
      else removeBelow(path);
    }
    for (const path of marks.removed) {
      removeBelow(path);
      delete all[path];
    }
    for (const [path, what] of Object.entries(shape(directory))) {
      if (what !== 'directory') removeBelow(path);
      all[path] = what;
    }
  }
  return all;
}
