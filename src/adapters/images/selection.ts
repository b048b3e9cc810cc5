import type { Digest } from './digest.ts';
import type { ConfigDocument } from './documents.ts';
import { invalid, notFound, quote } from './errors.ts';
import type { ImageFiles } from './files.ts';
import type { ImageLimits } from './limits.ts';
import type { Architecture } from './platform.ts';

export type Selection = {
  readonly files: ImageFiles;
  /** Which image, where there are several. */
  readonly name: string | undefined;
  readonly architecture: Architecture;
  readonly limits: ImageLimits;
};

export type Selected = {
  /** Of the configuration. */
  readonly digest: Digest;
  readonly config: ConfigDocument;
  /** From the lowest to the uppermost. */
  readonly layers: readonly LayerFile[];
  /** What it is called there. */
  readonly names: readonly string[];
};

/** `digest` and `size` of the file as it lies there, where a manifest says them; `diffId`: of what it unpacks to. */
export type LayerFile = {
  readonly file: string;
  readonly diffId: Digest;
  readonly digest?: Digest;
  readonly size?: number;
};

/** The layers that a manifest lists and those that the configuration lists are the same, in the same order. */
export function pairLayers(config: ConfigDocument, files: readonly Omit<LayerFile, 'diffId'>[]): readonly LayerFile[] {
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== files.length) throw invalid(`its manifest has ${files.length} layers, its configuration ${diffIds.length}`);
  return files.map((file, i) => ({ ...file, diffId: diffIds[i]! }));
}

/** `key`: images of one key are one image, for several platforms perhaps. */
export type Named<T> = { readonly image: T; readonly key: string; readonly names: readonly string[] };

/** Those of the image that is meant. Throws `ImageNotFound` when there is none, or the name doesn't say which. */
export function chooseByName<T>(images: readonly Named<T>[], name: string | undefined): readonly T[] {
  const named = name === undefined ? images : images.filter((each) => each.names.includes(name));
  if (named.length > 0 && named.every(({ key }) => key === named[0]?.key)) return named.map(({ image }) => image);
  if (images.length === 0) throw notFound('it holds no image');
  const names = [...new Set(images.flatMap((each) => each.names))].slice(0, 20).map(quote);
  const there = names.length === 0 ? 'its images have no names' : `it has ${names.join(', ')}`;
  if (named.length === 0) throw notFound(`no image in it is named ${quote(name ?? '')}: ${there}`);
  throw notFound(`it holds several images, and one has to be named: ${there}`);
}
