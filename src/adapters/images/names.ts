/** What images are called: a name leads to the image that has brought it last. All names are one file, which is replaced as a whole. */
import type { Digest } from './digest.ts';
import { readReplaced, replaceFile } from './replaced-file.ts';

const FILE = 'names.json';
/** Longer ones are nobody's; of more the oldest are forgotten. */
const NAME_CHARACTERS = 512;
const NAMES = 10_000;

/** From the oldest to the newest. */
export const readNames = (directory: string): ReadonlyMap<string, Digest> =>
  new Map((readReplaced(directory, FILE, 'images are found by their digests then') ?? []) as [string, Digest][]);

export function giveNames(directory: string, digest: Digest, names: readonly string[]): void {
  const short = names.filter((name) => name !== '' && name.length <= NAME_CHARACTERS);
  const before = readNames(directory);
  if (short.every((name) => before.get(name) === digest)) return;
  write(directory, [...[...before].filter(([name]) => !short.includes(name)), ...short.map((name) => [name, digest] as const)]);
}

export function forgetNames(directory: string, digest: Digest): void {
  const before = [...readNames(directory)];
  const left = before.filter(([, each]) => each !== digest);
  if (left.length < before.length) write(directory, left);
}

/** As it is written, and without a tag that of its latest version. */
export function findName(directory: string, name: string): Digest | undefined {
  const names = readNames(directory);
  const tagged = name.slice(name.lastIndexOf('/') + 1).includes(':');
  return names.get(name) ?? (tagged ? undefined : names.get(`${name}:latest`));
}

const write = (directory: string, names: readonly (readonly [string, Digest])[]): void => replaceFile(directory, FILE, names.slice(-NAMES));
