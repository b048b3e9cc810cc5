/**
 * Container images, unpacked from an archive or an OCI layout: each layer once, and one root for each image. An image that `unpack` has
 * answered for is whole, also after power loss. One of those that change something is under way at a time.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { findArchive, forgetArchives } from './archives.ts';
import { isDigest, parseDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import type { Image } from './image.ts';
import { NEW, OLD, imageOf, imagesOf, layerOf, layersOf, readImage } from './layout.ts';
import type { ImageLimits } from './limits.ts';
import { findName, forgetNames, giveNames } from './names.ts';
import { thisArchitecture } from './platform.ts';
import type { Architecture } from './platform.ts';
import { unpackInThread } from './unpack-thread.ts';

export interface Images {
  /**
   * The image at `source`: a directory in OCI's layout, or an archive of that or of `docker save`, also compressed. One that is there already
   * is not unpacked again. Throws HearthError `ImageNotFound`, `ImageInvalid`, `ImageDamaged`, `ImageUnsupported`, `ImageTooLarge`,
   * `ImagePlatformMismatch`, `StoreFailed`, `ShuttingDown`; nothing is kept of the image then.
   */
  unpack(source: string, options?: UnpackOptions): Promise<Image>;
  /**
   * The image that an archive has brought, by the digest of the archive's own bytes; it has the archive's names again. Undefined: that is not
   * known, or the image is gone. Throws HearthError `StoreFailed`.
   */
  brought(archive: string, options?: Pick<UnpackOptions, 'name'>): Promise<Image | undefined>;
  /** Throws HearthError `ImageNotFound`, `StoreFailed`. */
  get(digest: string): Promise<Image>;
  /** The digest of the image that a name, `NAME@DIGEST` or a digest means. Undefined: there is none. */
  find(reference: string): Promise<string | undefined>;
  /**
   * Removes an image, and the layers that no other one has. False: there was none. The caller knows that no sandbox uses it any more.
   */
  delete(digest: string): Promise<boolean>;
  /** The digests of all images, for removing those nobody refers to. */
  list(): Promise<readonly string[]>;
  /** Gives up an unpacking that is under way, and waits for everything else. */
  close(): Promise<void>;
}

/** `name`: which of several images in an archive is meant, as a tag or as its annotation names it. `archive`: the digest of its own bytes. */
export type UnpackOptions = { readonly name?: string; readonly archive?: string };

/** `architecture`: of this machine, unless given. */
export type ImagesOptions = { readonly directory: string; readonly limits?: ImageLimits; readonly architecture?: Architecture };

/** The caller holds the lock of the data directory: nobody else uses `directory`. */
export async function openImages({ directory, limits = LIMITS.images, architecture = thisArchitecture() }: ImagesOptions): Promise<Images> {
  for (const path of [directory, layersOf(directory), imagesOf(directory)]) {
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755);
  }
  let last: Promise<unknown> = sweep(directory);
  await last;
  const closing = new AbortController();

  const inTurn = <T>(operation: () => Promise<T>): Promise<T> => {
    const turn = last.then(operation, operation);
    // Its caller hears of a failure; the next one only waits for its end.
    last = turn.catch(() => undefined);
    return turn;
  };
  return {
    unpack: (source, { name, archive } = {}) =>
      inTurn(async () => {
        try {
          return await unpackInThread({ source, name, archive, directory, architecture, limits }, closing.signal);
        } catch (error) {
          await removeTemporary(directory);
          throw error;
        }
      }),
    brought: (archive, { name } = {}) =>
      inTurn(async () => {
        const known = findArchive(directory, { bytes: archive, name });
        const image = known && readImage(directory, known.digest);
        if (!known || !image) return undefined;
        giveNames(directory, image.digest, known.names);
        return readImage(directory, image.digest);
      }),
    async get(digest) {
      const image = readImage(directory, parseDigest(digest));
      if (!image) throw new HearthError('ImageNotFound', `there is no image ${digest}`);
      return image;
    },
    async find(reference) {
      const digest = reference.slice(reference.lastIndexOf('@') + 1);
      if (!isDigest(digest)) return findName(directory, reference);
      return readImage(directory, digest)?.digest;
    },
    delete: (digest) => inTurn(() => deleteImage(directory, parseDigest(digest))),
    list: () => digestsIn(imagesOf(directory)),
    close() {
      closing.abort();
      return inTurn(async () => undefined);
    },
  };
}

/** Removes what an earlier run has left half made or half removed. */
async function sweep(directory: string): Promise<void> {
  await removeTemporary(directory);
  await removeUnusedLayers(directory);
}

async function removeTemporary(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.startsWith(NEW) || name.startsWith(OLD)) await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function deleteImage(directory: string, digest: Digest): Promise<boolean> {
  forgetNames(directory, digest);
  forgetArchives(directory, digest);
  const wasThere = await removeAtOnce(directory, imageOf(directory, digest));
  await removeUnusedLayers(directory);
  return wasThere;
}

async function removeUnusedLayers(directory: string): Promise<void> {
  const used = usedLayers(directory, await digestsIn(imagesOf(directory)));
  for (const digest of await digestsIn(layersOf(directory))) {
    if (used && !used.has(digest)) await removeAtOnce(directory, layerOf(directory, digest));
  }
}

/** Undefined: a record is damaged, and what its image needs isn't known. Whoever asks for that image is told. */
function usedLayers(directory: string, digests: readonly Digest[]): ReadonlySet<Digest> | undefined {
  try {
    const images = digests.flatMap((digest) => readImage(directory, digest) ?? []);
    return new Set(images.flatMap(({ layers }) => layers.map((layer) => layer.digest)));
  } catch (error) {
    if (error instanceof HearthError && error.code === 'StoreFailed') return undefined;
    throw error;
  }
}

/** One rename, so that nobody sees half of it; removing the files then takes the time it takes. False: it was not there. */
async function removeAtOnce(directory: string, path: string): Promise<boolean> {
  const old = await mkdtemp(join(directory, OLD));
  try {
    await rename(path, join(old, 'removed'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  } finally {
    await rm(old, { recursive: true, force: true });
  }
}

async function digestsIn(directory: string): Promise<readonly Digest[]> {
  return (await readdir(directory)).map((name) => name.replace('-', ':')).filter(isDigest);
}
