/**
 * Decides, from what a layer's tar header says about one entry, what to make of it, and refuses what could reach outside the layer. Pure: it
 * touches no disk. Names are taken from the layer's root, whether they begin with `/`, `./` or neither. Where a symbolic link points to is its
 * own affair, since nothing that unpacks or merges layers follows one.
 */
import { invalid, quote, tooLarge } from './errors.ts';
import type { ImageLimits } from './limits.ts';
import type { TarHeader } from './tar.ts';

/** `path` is relative, slash-separated and without `.`, `..` and empty parts; '' is the root, which only what is `opaque` can be. */
export type PlannedEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number; readonly mtime: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly mtime: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  /** Another name of a file that is in the layer already. */
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** Nothing is at this path any more, whatever the layers below have there. */
  | { readonly kind: 'removed'; readonly path: string }
  /** Nothing of what the layers below have in this directory is there any more. Neither says that there is a directory. */
  | { readonly kind: 'opaque'; readonly path: string };

const REMOVED = '.wh.';
const OPAQUE = '.wh..wh..opq';
const MAX_PART_BYTES = 255;

/** Throws HearthError `ImageInvalid`, `ImageTooLarge`. Undefined: nothing to do for it. */
export function planEntry(header: TarHeader, limits: ImageLimits): PlannedEntry | undefined {
  const path = safePath(header.name, limits);
  if (header.size > 0 && header.type !== null && header.type !== 'file' && header.type !== 'contiguous-file')
    throw invalid(`${quote(header.name)} has content, and is no file`);
  if (path === '') {
    if (header.type === 'directory') return undefined;
    throw invalid(`${quote(header.name)} is no name for a file`);
  }
  return whiteout(path) ?? ordinary(path, header, limits);
}

function safePath(name: string, limits: ImageLimits): string {
  const bytes = Buffer.byteLength(name);
  if (bytes > limits.pathBytes) throw tooLarge(`a name has ${bytes} bytes; ${limits.pathBytes} are allowed`);
  if (name === '') throw invalid('an entry has no name');
  if (name.includes('\0')) throw invalid(`${quote(name)} contains a zero byte`);
  // What is not UTF-8 has become this; two such names could be the same.
  if (name.includes('\uFFFD')) throw invalid(`${quote(name)} is not UTF-8`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid(`${quote(name)} leaves its directory`);
  if (parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) throw invalid(`${quote(name)} has a part of more than 255 bytes`);
  if (parts.slice(0, -1).some((part) => part.startsWith(REMOVED))) throw invalid(`${quote(name)} lies below a reserved name`);
  return parts.join('/');
}

/** How a layer says what of the layers below is not there: by names, which no file can have therefore. */
function whiteout(path: string): PlannedEntry | undefined {
  const slash = path.lastIndexOf('/');
  const [directory, base] = [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
  if (!base.startsWith(REMOVED)) return undefined;
  if (base === OPAQUE) return { kind: 'opaque', path: directory };
  const name = base.slice(REMOVED.length);
  if (name === '' || name === '.' || name === '..' || name.startsWith(REMOVED))
    throw invalid(`${quote(path)} is a reserved name without a meaning`);
  return { kind: 'removed', path: directory === '' ? name : `${directory}/${name}` };
}

function ordinary(path: string, header: TarHeader, limits: ImageLimits): PlannedEntry {
  const { type, linkname } = header;
  if (Object.keys(header.pax).some((key) => key.startsWith('GNU.sparse.'))) throw invalid(`${quote(path)} is stored as a sparse file`);
  switch (type) {
    case 'file':
    case 'contiguous-file':
      return { kind: 'file', path, mode: fileMode(header.mode), mtime: secondsOf(header.mtime) };
    case 'directory':
      return { kind: 'directory', path, mode: directoryMode(header.mode), mtime: secondsOf(header.mtime) };
    case 'symlink':
      if (linkname === '' || linkname.includes('\0') || linkname.includes('\uFFFD'))
        throw invalid(`the link ${quote(path)} has no usable target`);
      if (Buffer.byteLength(linkname) > limits.pathBytes) throw tooLarge(`the target of ${quote(path)} is over ${limits.pathBytes} bytes`);
      return { kind: 'symlink', path, target: linkname };
    case 'link':
      return { kind: 'link', path, target: safePath(linkname, limits) };
    // A sandbox has devices of its own, and needs no right to make them. What the layers below have in its place is hidden all the same.
    case 'character-device':
    case 'block-device':
    case 'fifo':
      return { kind: 'removed', path };
    default:
      throw invalid(`${quote(path)} is of a kind that is not known here (a sparse file of GNU tar, perhaps)`);
  }
}

/**
 * Everything in a sandbox runs as one user, who stands for all that the image knows: what the owner or everybody may read or run, that user
 * may, whoever owns the files on this host. Nobody else may write, and nothing is set-uid, set-gid or sticky.
 */
function fileMode(mode: number): number {
  return 0o400 | (mode & 0o200) | (forAll(mode) * 0o111);
}

/** The owner needs all rights, to write into it and to remove it again. */
const directoryMode = (mode: number): number => 0o700 | (forAll(mode) * 0o011);

/** Bits 4 to read, 1 to run or enter. */
const forAll = (mode: number): number => ((mode >> 6) | mode) & 0o5;

const MAX_SECONDS = 2 ** 33;

/** Interpreters and font caches compare times of files: they are kept, as far as they make sense. */
function secondsOf(time: Date): number {
  const seconds = Math.trunc(time.getTime() / 1000);
  return seconds > 0 && seconds < MAX_SECONDS ? seconds : 0;
}
