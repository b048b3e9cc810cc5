/**
 * Writes files, links and directories into a directory that was empty. Nothing is written through a link: every directory on the way to an
 * entry is one that was made here, as a directory, and one that was made stays.
 */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { PlannedEntry } from './entry.ts';
import { invalid, quote } from './errors.ts';
import { linkOrCopy } from './link.ts';
import { parentOf } from './paths.ts';

type Written = Extract<PlannedEntry, { kind: 'directory' | 'file' | 'symlink' | 'link' }>;

const IMPLIED_MODE = 0o755;

export class TreeWriter {
  /** Directories that only the names of others have asked for. */
  readonly implied = new Set<string>();
  readonly #root: string;
  /** All directories made, with the time that each gets in the end: what is written into them changes it. */
  readonly #made = new Map<string, number>([['', 0]]);

  constructor(root: string) {
    this.#root = root;
  }

  /** `check` is called for each directory that has to be made, and throws when there are too many: a few long names can ask for millions. */
  makeParent(path: string, check: () => void): void {
    const wanted: string[] = [];
    for (let each = parentOf(path); !this.#made.has(each); each = parentOf(each)) wanted.push(each);
    for (const each of wanted.toReversed()) {
      this.implied.add(each);
      check();
      this.#mkdir(each, IMPLIED_MODE, 0);
    }
  }

  /** Its parent is there. What has the same name gives way, as with every tar, unless one of the two is a directory. */
  async put(entry: Written, content: AsyncIterable<Buffer>): Promise<void> {
    const path = this.#inside(entry.path);
    switch (entry.kind) {
      case 'directory':
        this.implied.delete(entry.path);
        if (!this.#made.has(entry.path)) return this.#mkdir(entry.path, entry.mode, entry.mtime);
        this.#made.set(entry.path, entry.mtime);
        return chmodSync(path, entry.mode);
      case 'file':
        return writeFile(
          this.#replacing(entry.path, () => openSync(path, 'wx', 0o600)),
          content,
          entry,
        );
      case 'symlink':
        return this.#replacing(entry.path, () => symlinkSync(entry.target, path));
      case 'link':
        return this.#link(entry);
    }
  }

  finish(): void {
    for (const [path, mtime] of this.#made) utimesSync(this.#inside(path), mtime, mtime);
  }

  #mkdir(path: string, mode: number, mtime: number): void {
    try {
      mkdirSync(this.#inside(path));
    } catch (error) {
      throw blamed(error, path, 'something else has that name');
    }
    // By chmod, because the umask would take the sandbox user's bits.
    chmodSync(this.#inside(path), mode);
    this.#made.set(path, mtime);
  }

  #link({ path, target }: { readonly path: string; readonly target: string }): void {
    const source = this.#inside(target);
    const status = this.#made.has(parentOf(target)) ? lstatSync(source, { throwIfNoEntry: false }) : undefined;
    if (target === path || !(status?.isFile() || status?.isSymbolicLink()))
      throw invalid(`the hard link ${quote(path)} names ${quote(target)}, which is no file in its layer`);
    // Systems differ in whether a hard link to a symbolic link is one to what that one names.
    const make = status.isSymbolicLink() ? symlinkSync.bind(undefined, readlinkSync(source)) : linkOrCopy.bind(undefined, source);
    this.#replacing(path, () => make(this.#inside(path)));
  }

  #replacing<T>(path: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw blamed(error, path);
      if (this.#made.has(path)) throw invalid(`${quote(path)} is a directory, and something else`, error);
    }
    unlinkSync(this.#inside(path));
    return make();
  }

  #inside(path: string): string {
    return join(this.#root, path);
  }
}

type FileAttributes = { readonly mode: number; readonly mtime: number };

async function writeFile(fd: number, content: AsyncIterable<Buffer>, { mode, mtime }: FileAttributes): Promise<void> {
  try {
    for await (const chunk of content) {
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
    }
    fchmodSync(fd, mode);
    futimesSync(fd, mtime, mtime);
  } finally {
    closeSync(fd);
  }
}

/** What a layer's names cause on this file system is the layer's fault; a full disk is not. */
function blamed(error: unknown, path: string, why?: string): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (!['EEXIST', 'ENAMETOOLONG', 'ENOTDIR', 'EISDIR', 'EINVAL', 'EILSEQ', 'ELOOP'].includes(code)) return error;
  return invalid(`${quote(path)} can't be made: ${why ?? code}`, error);
}
