/**
 * What a function that is a WebAssembly module is given beyond its event, as it is written in a tag of the function: words with spaces between
 * them, of the characters that tags may have.
 *
 *   (no tag), none        nothing: no files, clocks to the millisecond, no random numbers
 *   clock                 clocks to the nanosecond
 *   random                random numbers
 *   keep                  one instance's state goes on from invocation to invocation
 *   dir:/tmp              this directory of the sandbox, to read and write
 *   read:/var/task/data   this one, to read
 *   dir:/tmp=/work        the same, under another name
 */
import { posix } from 'node:path';
import { HearthError } from '../kernel/mod.ts';

export type WasmGrants = {
  readonly clock: boolean;
  readonly random: boolean;
  readonly keep: boolean;
  readonly directories: readonly WasmDirectory[];
};

/** `host`: where it lies in the sandbox; `guest`: its name for the module. */
export type WasmDirectory = { readonly host: string; readonly guest: string; readonly writable: boolean };

export const WASM_TAG = 'hearth:wasm';

/** Each is a descriptor that every invocation opens. */
const MAX_DIRECTORIES = 16;
const WRITABLE = '/tmp';
/** The package, and layers. */
const READABLE = ['/tmp', '/var/task', '/opt'];
const FLAGS = ['clock', 'random', 'keep'] as const;

/** Undefined: nothing is written. Throws HearthError `InvalidParameterValueException`. */
export function parseWasmGrants(text: string | undefined): WasmGrants {
  const words = (text ?? 'none').split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) throw wrong('is empty. Remove the tag for the default, nothing; or write none');
  if (words.includes('none') && words.length > 1) throw wrong("has 'none' beside other words; it stands alone");
  const flags = new Set<string>();
  const directories: WasmDirectory[] = [];
  for (const word of words) {
    if (word === 'none' || (FLAGS as readonly string[]).includes(word)) flags.add(word);
    else addDirectory(directories, parseDirectory(word), word);
  }
  if (directories.length > MAX_DIRECTORIES) throw wrong(`names ${directories.length} directories; ${MAX_DIRECTORIES} is the most`);
  const [clock, random, keep] = FLAGS.map((flag) => flags.has(flag)) as [boolean, boolean, boolean];
  return { clock, random, keep, directories };
}

function parseDirectory(word: string): WasmDirectory {
  const [, kind, host, guest = host] = /^(dir|read):(\/[^=]*)(?:=(\/[^=]*))?$/.exec(word) ?? [];
  if (host === undefined || guest === undefined)
    throw wrong(`has '${word}', which is no grant. Write ${FLAGS.join(', ')}, dir:PATH, read:PATH, or dir:PATH=NAME; or none`);
  for (const path of [host, guest]) {
    if (posix.normalize(path) !== path || (path !== '/' && path.endsWith('/')))
      throw wrong(`has '${word}': ${path} is no path without detours`);
  }
  if (!READABLE.some((root) => within(root, host)))
    throw wrong(`has '${word}': a module can be given ${READABLE.join(', ')} and what lies below`);
  if (kind === 'dir' && !within(WRITABLE, host)) throw wrong(`has '${word}': only ${WRITABLE} can be written to. Write read:${host}`);
  return { host, guest, writable: kind === 'dir' };
}

const within = (root: string, path: string): boolean => path === root || path.startsWith(`${root}/`);

function addDirectory(directories: WasmDirectory[], directory: WasmDirectory, word: string): void {
  if (directories.some(({ guest }) => guest === directory.guest))
    throw wrong(`has '${word}': ${directory.guest} is the name of another one already`);
  directories.push(directory);
}

function wrong(what: string): HearthError {
  return new HearthError('InvalidParameterValueException', `The tag ${WASM_TAG} ${what}.`);
}
