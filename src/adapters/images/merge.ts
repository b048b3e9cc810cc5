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
import { chmodSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, utimesSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { basename } from 'node:path/posix';
import type { LayerMarks } from './layer.ts';
import { linkOrCopy } from './link.ts';
import { addAncestors, childOf, parentOf } from './paths.ts';

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
  /** Directories in which something is removed, somewhere below. The layer need not have them. */
  readonly marked: ReadonlySet<string>;
};

/** A layer in one directory of the tree. `present`: the layer has it; otherwise it only removes something in it. */
type Part = { readonly layer: Layer; readonly present: boolean };

function prepare({ directory, marks }: UnpackedLayer): Part {
  const { removed, opaque, implied } = marks;
  const marked = new Set<string>();
  for (const path of removed) addAncestors(marked, parentOf(path));
  for (const path of opaque) addAncestors(marked, path);
  const layer = { directory, removed: Map.groupBy(removed, parentOf), opaque: new Set(opaque), implied: new Set(implied), marked };
  return { layer, present: true };
}

/** `parts`: of the layers, from the uppermost to the lowest, as far as they count here. `target` is there, and empty. */
function mergeDirectory(parts: readonly Part[], path: string, target: string): void {
  for (const [name, having] of mergeEntries(parts, path, target)) {
    const below = childOf(path, name);
    mkdirSync(join(target, name));
    mergeDirectory(partsBelow(parts, having, below), below, join(target, name));
  }
  const present = parts.flatMap((part) => (part.present ? part.layer : []));
  // A layer that only has something in a directory says nothing about the directory.
  const shown = present.find(({ implied }) => !implied.has(path)) ?? present[0];
  if (!shown) return;
  const { mode, mtimeMs } = lstatSync(join(shown.directory, path));
  chmodSync(target, path === '' ? 0o755 : mode & 0o777);
  utimesSync(target, mtimeMs / 1000, mtimeMs / 1000);
}

/** Those that have the directory, and those between them that only remove something there. */
function partsBelow(parts: readonly Part[], having: ReadonlySet<Layer>, path: string): readonly Part[] {
  const last = parts.findLastIndex(({ layer }) => having.has(layer));
  return parts
    .slice(0, last + 1)
    .map(({ layer }) => ({ layer, present: having.has(layer) }))
    .filter(({ layer, present }) => present || layer.marked.has(path));
}

/** Puts what is no directory into `target`, and returns the directories with the layers that have them. */
function mergeEntries(parts: readonly Part[], path: string, target: string): ReadonlyMap<string, ReadonlySet<Layer>> {
  const directories = new Map<string, Set<Layer>>();
  /** Names of which nothing in the layers further down counts. */
  const covered = new Set<string>();
  for (const { layer, present } of parts) {
    const covers = (layer.removed.get(path) ?? []).map((each) => basename(each));
    for (const entry of present ? readdirSync(join(layer.directory, path), { withFileTypes: true }) : []) {
      if (covered.has(entry.name)) continue;
      const known = directories.get(entry.name);
      if (!entry.isDirectory()) {
        covers.push(entry.name);
        if (!known) share(entry, join(layer.directory, path, entry.name), join(target, entry.name));
      } else if (known) known.add(layer);
      else directories.set(entry.name, new Set([layer]));
    }
    if (layer.opaque.has(path)) break;
    for (const name of covers) covered.add(name);
  }
  return directories;
}

function share(entry: Dirent, source: string, target: string): void {
  if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
  else linkOrCopy(source, target);
}
