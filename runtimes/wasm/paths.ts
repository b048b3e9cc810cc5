/**
 * Finds what a path names below an open directory, and never anything outside of it: component by component, each directory opened without
 * following links, and links followed by hand. `..` goes back to what was opened before, so it can't lead above where the walk began, and
 * nothing that others rename meanwhile makes a difference.
 */
import { closeSync, constants, lstatSync, openSync, readlinkSync } from 'node:fs';
import type { OpenDirectory } from './descriptors.ts';
import { O_PLACE } from './descriptors.ts';
import { ERRNO, WasiError } from './errno.ts';

export type Found = {
  /** The entry, as the system takes it: below an open directory. Without a slash at its end. */
  readonly path: string;
  /** The path ended with a slash: it has to be a directory. */
  readonly directory: boolean;
  /** It is a symbolic link that was not followed; undefined: there is no such entry. */
  readonly link: boolean | undefined;
};

const MOST_LINKS = 40;
const MOST_BYTES = 4096;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws WasiError for what is no path. */
export function decodePath(bytes: Uint8Array): string {
  if (bytes.length > MOST_BYTES) throw new WasiError(ERRNO.NAMETOOLONG);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new WasiError(ERRNO.ILSEQ);
  }
  if (text.includes('\0')) throw new WasiError(ERRNO.INVAL);
  return text;
}

/**
 * Calls `use` with what `path` names; `follow`: of a link what it leads to. A slash behind a link asks for that in any case. The last component need
 * not be there.
 */
export const withPath = <T>(directory: OpenDirectory, path: string, follow: boolean, use: (found: Found) => T): T =>
  walk(directory, path, follow ? 'always' : 'where a directory is asked for', use);

type Following = 'always' | 'where a directory is asked for' | 'never';

function walk<T>(directory: OpenDirectory, path: string, follow: Following, use: (found: Found) => T): T {
  if (path === '') throw new WasiError(ERRNO.NOENT);
  const way = new Walk(directory.host);
  try {
    return use(way.find(path, follow));
  } finally {
    way.end();
  }
}

/** The same for making and removing entries: a slash at the end stays there, and the system says what it makes of it. */
export function withEntry<T>(directory: OpenDirectory, path: string, use: (path: string) => T): T {
  return walk(directory, path, 'never', (found) => use(found.directory ? `${found.path}/` : found.path));
}

class Walk {
  /** Directories on the way, from where it begins. */
  readonly #places: number[];
  /** Components that are left, the next one last. */
  #left: string[] = [];
  #directory = false;
  #links = 0;

  constructor(start: number) {
    this.#places = [start];
  }

  find(path: string, follow: Following): Found {
    this.#add(path);
    for (;;) {
      const name = this.#left.pop();
      // All that was left were dots: the place itself.
      if (name === undefined) return { path: this.#at('.'), directory: true, link: false };
      if (name === '..') this.#up();
      else if (this.#left.length > 0) this.#enter(name);
      else {
        const found = this.#last(name, follow);
        if (found) return found;
      }
    }
  }

  end(): void {
    while (this.#places.length > 1) closeSync(this.#places.pop()!);
  }

  #add(path: string): void {
    if (path.startsWith('/')) throw new WasiError(ERRNO.PERM);
    const names = path.split('/');
    if (this.#left.length === 0 && ['', '.', '..'].includes(names.at(-1)!)) this.#directory = true;
    for (let i = names.length - 1; i >= 0; i--) {
      const name = names[i]!;
      if (name !== '' && name !== '.') this.#left.push(name);
    }
    if (this.#left.length > MOST_BYTES) throw new WasiError(ERRNO.NAMETOOLONG);
  }

  #up(): void {
    if (this.#places.length === 1) throw new WasiError(ERRNO.PERM);
    closeSync(this.#places.pop()!);
  }

  #enter(name: string): void {
    const path = this.#at(name);
    try {
      this.#places.push(openSync(path, O_PLACE | constants.O_NOFOLLOW));
    } catch (error) {
      if (!isLink(path)) throw error;
      this.#follow(path);
    }
  }

  /** Undefined: it was a link, and what it leads to is left. */
  #last(name: string, follow: Following): Found | undefined {
    const path = this.#at(name);
    const link = isLink(path);
    const followed = follow === 'always' || (follow !== 'never' && this.#directory);
    if (!link || !followed) return { path, directory: this.#directory, link };
    this.#follow(path);
    return undefined;
  }

  #follow(path: string): void {
    if (++this.#links > MOST_LINKS) throw new WasiError(ERRNO.LOOP);
    this.#add(readlinkSync(path));
  }

  #at(name: string): string {
    return `/proc/self/fd/${this.#places.at(-1)!}/${name}`;
  }
}

/** Undefined: it is not there. */
function isLink(path: string): boolean | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
}
