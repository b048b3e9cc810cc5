/**
 * Unpacks one layer into an empty directory. What it removes from the layers below is returned, not written: how that is marked on disk
 * differs between kernels and rights, and merge.ts needs no marks there. It blocks its thread.
 */
import { START_BYTES, counted, decompressor, limited, verified } from './bytes.ts';
import { planEntry } from './entry.ts';
import { tooLarge } from './errors.ts';
import type { ImageFiles } from './files.ts';
import type { ImageLimits } from './limits.ts';
import type { LayerFile } from './selection.ts';
import { addAncestors, parentOf } from './paths.ts';
import { readTar } from './tar.ts';
import { TreeWriter } from './tree-writer.ts';

/** Paths in a layer: see `PlannedEntry`. `implied`: directories that had no entry of their own. */
export type LayerMarks = {
  readonly removed: readonly string[];
  readonly opaque: readonly string[];
  readonly implied: readonly string[];
  readonly size: LayerSize;
};

/**
 * `bytes`: of the uncompressed tar stream, which is more than that of all files. `entries`: with directories that are only implied, and those
 * in which something is removed.
 */
export type LayerSize = { readonly bytes: number; readonly entries: number };

export type LayerOptions = {
  readonly files: ImageFiles;
  readonly layer: LayerFile;
  readonly directory: string;
  /** What the image's other layers leave of its limits. */
  readonly left: LayerSize;
  readonly limits: ImageLimits;
};

/** Throws HearthError with one of the codes of images; the directory is then in any state. */
export async function unpackLayer({ files, layer, directory, left, limits }: LayerOptions): Promise<LayerMarks> {
  const { file, diffId, digest, size } = layer;
  const decompress = decompressor(files.start(file, START_BYTES));
  const [read, unpacked] = [{ bytes: 0 }, { bytes: 0 }];
  const stages = [
    ...(digest === undefined ? [] : [verified(digest, file, size)]),
    counted(read),
    ...(decompress ? [decompress] : []),
    limited({ what: file, maxBytes: left.bytes, read, limits }),
    counted(unpacked),
    verified(diffId, `${file}, unpacked,`),
  ];
  const removed: string[] = [];
  const opaque: string[] = [];
  const tree = new TreeWriter(directory);
  const marked = new Set<string>();
  let entries = 0;
  const total = () => entries + tree.implied.size + marked.size;
  const check = () => {
    if (total() > left.entries) throw tooLarge(`it has more than ${limits.entries} entries`);
  };
  await readTar([files.stream(file), ...stages], async ({ header, content }) => {
    entries++;
    const entry = planEntry(header, limits);
    check();
    if (!entry) return;
    switch (entry.kind) {
      case 'removed':
        removed.push(entry.path);
        return addAncestors(marked, parentOf(entry.path), check);
      case 'opaque':
        opaque.push(entry.path);
        return addAncestors(marked, entry.path, check);
      default:
        tree.makeParent(entry.path, check);
        await tree.put(entry, content);
    }
  });
  tree.finish();
  return { removed, opaque, implied: [...tree.implied], size: { bytes: unpacked.bytes, entries: total() } };
}
