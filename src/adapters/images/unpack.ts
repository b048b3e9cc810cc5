/**
 * Unpacks an image into the directory of all images, whole or not at all: everything is made in a temporary directory, brought to disk, and
 * renamed into its place, the image itself last. A layer that another image has brought already is taken as it is. It blocks its thread.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import { rememberArchive } from './archives.ts';
import { configOf } from './config.ts';
import { nameOf } from './digest.ts';
import { asImageError, tooLarge } from './errors.ts';
import type { ImageFiles } from './files.ts';
import type { Image } from './image.ts';
import { unpackLayer } from './layer.ts';
import type { LayerMarks, LayerSize } from './layer.ts';
import { FILES, MARKS, NEW, RECORD, ROOT, imageOf, imagesOf, layerOf, layersOf, readImage, readMarks } from './layout.ts';
import type { ImageRecord } from './layout.ts';
import type { ImageLimits } from './limits.ts';
import { mergeLayers } from './merge.ts';
import { giveNames } from './names.ts';
import type { Architecture } from './platform.ts';
import { selectImage } from './select.ts';
import type { LayerFile, Selected } from './selection.ts';
import { openSource } from './source.ts';

export type UnpackRequest = {
  /** A directory in OCI's layout, or an archive. */
  readonly source: string;
  /** Which of several images. */
  readonly name: string | undefined;
  /** The digest of the archive's own bytes: remembered with what it brings. */
  readonly archive: string | undefined;
  /** That of all images. */
  readonly directory: string;
  readonly architecture: Architecture;
  readonly limits: ImageLimits;
};

/** Throws HearthError: one of the codes of images, or `StoreFailed`. Nothing is left behind then. */
export async function unpackImage(request: UnpackRequest): Promise<Image> {
  const { source, name, directory, architecture, limits } = request;
  const workDirectory = mkdtempSync(join(directory, NEW));
  let files: ImageFiles | undefined;
  try {
    files = await openSource({ path: source, workDirectory, limits });
    const selected = selectImage({ files, name, architecture, limits });
    const known = readImage(directory, selected.digest);
    if (known) return named(request, known, selected.names);
    const record = {
      digest: selected.digest,
      config: configOf(selected.config, architecture),
      layers: selected.layers.map(({ diffId }) => diffId),
    };
    await build({ directory, workDirectory, files, selected, record, limits });
    const image = readImage(directory, selected.digest);
    if (!image) throw new HearthError('Internal', `the image ${selected.digest} is not where it was put`);
    return named(request, image, selected.names);
  } catch (error) {
    throw asImageError(error);
  } finally {
    files?.close();
    rmSync(workDirectory, { recursive: true, force: true });
  }
}

function named({ directory, archive, name }: UnpackRequest, { digest }: Image, names: readonly string[]): Image {
  giveNames(directory, digest, names);
  if (archive !== undefined) rememberArchive(directory, { bytes: archive, name }, { digest, names });
  return readImage(directory, digest)!;
}

type Work = {
  readonly directory: string;
  readonly workDirectory: string;
  readonly files: ImageFiles;
  readonly selected: Selected;
  readonly record: ImageRecord;
  readonly limits: ImageLimits;
};

async function build(work: Work): Promise<void> {
  const { directory, workDirectory, selected, record } = work;
  const layers = await layersFor(work);
  const image = join(workDirectory, 'image');
  mkdirSync(join(image, ROOT), { recursive: true });
  mergeLayers(
    layers.map(({ path, marks }) => ({ directory: join(path, FILES), marks })),
    join(image, ROOT),
  );
  writeFileSync(join(image, RECORD), JSON.stringify(record));
  chmodSync(image, 0o755);
  bringToDisk(workDirectory);
  for (const [place, path] of new Map(layers.map((layer) => [layer.place, layer.path]))) if (path !== place) renameSync(path, place);
  // Before the image that says that they are there.
  syncDirectory(layersOf(directory));
  renameSync(image, imageOf(directory, selected.digest));
  syncDirectory(imagesOf(directory));
}

/** `path`: where the layer is now. `place`: where it belongs. */
type PlacedLayer = { readonly path: string; readonly place: string; readonly marks: LayerMarks };

async function layersFor(work: Work): Promise<readonly PlacedLayer[]> {
  const { directory, selected, limits } = work;
  const layers: PlacedLayer[] = [];
  let left: LayerSize = { bytes: limits.unpackedBytes, entries: limits.entries };
  for (const layer of selected.layers) {
    // The same layer may occur twice in one image: an empty one, for instance.
    const place = layerOf(directory, layer.diffId);
    const known = layers.find((each) => each.place === place) ?? stored(place);
    const next = known ?? (await newLayer(work, layer, left));
    left = { bytes: left.bytes - next.marks.size.bytes, entries: left.entries - next.marks.size.entries };
    if (left.bytes < 0) throw tooLarge(`its layers hold more than the ${limits.unpackedBytes} bytes that are allowed`);
    if (left.entries < 0) throw tooLarge(`it has more than ${limits.entries} entries`);
    layers.push(next);
  }
  return layers;
}

function stored(place: string): PlacedLayer | undefined {
  const marks = readMarks(place);
  return marks && { path: place, place, marks };
}

async function newLayer({ directory, workDirectory, files, limits }: Work, layer: LayerFile, left: LayerSize): Promise<PlacedLayer> {
  const path = join(workDirectory, nameOf(layer.diffId));
  mkdirSync(join(path, FILES), { recursive: true });
  for (const each of [path, join(path, FILES)]) chmodSync(each, 0o755);
  const marks = await unpackLayer({ files, layer, directory: join(path, FILES), left, limits });
  writeFileSync(join(path, MARKS), JSON.stringify(marks));
  return { path, place: layerOf(directory, layer.diffId), marks };
}

/** All at once, by syncfs(2), for which Node has no call: file by file takes ten times as long. */
function bringToDisk(directory: string): void {
  const { status, error, stderr } = spawnSync('sync', process.platform === 'linux' ? ['-f', directory] : [], { encoding: 'utf8' });
  if (status !== 0)
    throw new HearthError('StoreFailed', `the image could not be brought to disk: ${error?.message ?? stderr}`, { cause: error });
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
