/**
 * Where unpacked images lie:
 *
 *     layers/<digest>/files        what the layer holds; `marks.json` beside it says what it removes from those below
 *     images/<digest>/root         all its layers in one tree; `image.json` beside it says of which, and how it is started
 *     .new-*, .old-*               what is being made, or removed; anything of the kind at the start is of an earlier run
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import { nameOf } from './digest.ts';
import type { Digest } from './digest.ts';
import type { Image, ImageConfig } from './image.ts';
import type { LayerMarks } from './layer.ts';
import { readNames } from './names.ts';

export const NEW = '.new-';
export const OLD = '.old-';

export const layersOf = (directory: string): string => join(directory, 'layers');
export const imagesOf = (directory: string): string => join(directory, 'images');
export const layerOf = (directory: string, digest: Digest): string => join(layersOf(directory), nameOf(digest));
export const imageOf = (directory: string, digest: Digest): string => join(imagesOf(directory), nameOf(digest));

/** What is kept about an image beside its root. */
export type ImageRecord = { readonly digest: Digest; readonly config: ImageConfig; readonly layers: readonly Digest[] };

export const FILES = 'files';
export const MARKS = 'marks.json';
export const ROOT = 'root';
export const RECORD = 'image.json';

/** Undefined: there is none. */
export function readImage(directory: string, digest: Digest): Image | undefined {
  const record = readJson(join(imageOf(directory, digest), RECORD)) as ImageRecord | undefined;
  return (
    record && {
      ...record,
      root: join(imageOf(directory, digest), ROOT),
      layers: record.layers.map((each) => layerIn(directory, each)),
      names: [...readNames(directory)].flatMap(([name, each]) => (each === digest ? [name] : [])),
    }
  );
}

export const readMarks = (layer: string): LayerMarks | undefined => readJson(join(layer, MARKS)) as LayerMarks | undefined;

const layerIn = (directory: string, digest: Digest) => ({ digest, directory: join(layerOf(directory, digest), FILES) });

/** Only what this room has written itself is read so. */
function readJson(path: string): unknown {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new HearthError('StoreFailed', `${path} can't be read: ${String(cause)}. Delete the image and deploy it again.`, { cause });
  }
}
