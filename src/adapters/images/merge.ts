/**
 * One tree of all layers, made of hard links to their files: a root that can be mounted as it is.
 *
 * Why not overlayfs over the layers: that wants whiteouts on disk, as character devices or as extended attributes, which Node can't make, not
 * every file system has and other systems don't know; the names of its layers must fit a page; and it looks a file up in each of them. Here
 * the work is done once, when the image comes. What it costs is a directory entry a file: bytes on disk and in the page cache are shared by
 * all images that have the layer.
 *
 * The tree is decided from the top down, directory by directory, so everything is written once, nothing is ever removed, and no link of any
 * layer is followed. It blocks its thread.
 */
import { chmodSync, copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, utimesSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { dirname } from 'node:path/posix';
import type { LayerMarks } from './layer.ts';

export type UnpackedLayer = { readonly directory: string; readonly marks: Omit<LayerMarks, 'size'> };

/** `layers`: from the lowest to the uppermost. `root` is an empty directory. */
export function mergeLayers(layers: readonly UnpackedLayer[], root: string): void {
  mergeDirectory(layers.toReversed().map(prepare), '', root);
}

type Layer = {
  readonly directory: string;
  /** By the directory that they are removed from. */
  readonly removed: ReadonlyMap<string, readonly string[]>;
  readonly opaque: ReadonlySet<string>;
  readonly implied: ReadonlySet<string>;
};

function prepare({ directory, marks }: UnpackedLayer): Layer {
  const removed = Map.groupBy(marks.removed, parentOf);
  const names = [...removed].map(([parent, paths]) => [parent, paths.map((path) => path.slice(path.lastIndexOf('/') + 1))] as const);
  return { directory, removed: new Map(names), opaque: new Set(marks.opaque), implied: new Set(marks.implied) };
}

/** `layers`: those that have the directory, from the uppermost to the lowest. `target` is there, and empty. */
function mergeDirectory(layers: readonly Layer[], path: string, target: string): void {
  for (const [name, below] of directoriesIn(layers, path, target)) {
    mkdirSync(join(target, name));
    mergeDirectory(below, path === '' ? name : `${path}/${name}`, join(target, name));
  }
  // A layer that only has something in a directory says nothing about the directory.
  const shown = layers.find(({ implied }) => !implied.has(path)) ?? layers[0];
  if (!shown) return;
  const { mode, mtimeMs } = lstatSync(join(shown.directory, path));
  chmodSync(target, path === '' ? 0o755 : mode & 0o777);
  utimesSync(target, mtimeMs / 1000, mtimeMs / 1000);
}

/** Puts what is no directory into `target`, and returns the directories with the layers that they consist of. */
function directoriesIn(layers: readonly Layer[], path: string, target: string): ReadonlyMap<string, readonly Layer[]> {
  const directories = new Map<string, Layer[]>();
  /** Names of which nothing in the layers further down counts. */
  const covered = new Set<string>();
  for (const layer of layers) {
    const covers: string[] = [...(layer.removed.get(path) ?? [])];
    for (const entry of readdirSync(join(layer.directory, path), { withFileTypes: true })) {
      if (covered.has(entry.name)) continue;
      const known = directories.get(entry.name);
      if (!entry.isDirectory()) {
        covers.push(entry.name);
        if (!known) share(entry, join(layer.directory, path, entry.name), join(target, entry.name));
      } else if (known) known.push(layer);
      else directories.set(entry.name, [layer]);
    }
    if (layer.opaque.has(path)) break;
    for (const name of covers) covered.add(name);
  }
  return directories;
}

function share(entry: Dirent, source: string, target: string): void {
  if (entry.isSymbolicLink()) return symlinkSync(readlinkSync(source), target);
  try {
    linkSync(source, target);
  } catch (error) {
    // A file has at most so many names (ext4: 65,000), and some file systems know of one only.
    if (!['EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    copy(source, target);
  }
}

function copy(source: string, target: string): void {
  copyFileSync(source, target);
  const { mode, mtimeMs } = lstatSync(source);
  chmodSync(target, mode & 0o777);
  utimesSync(target, mtimeMs / 1000, mtimeMs / 1000);
}

const parentOf = (path: string): string => (path.includes('/') ? dirname(path) : '');
