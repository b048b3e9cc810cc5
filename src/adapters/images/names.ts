/** What images are called: a name leads to the image that has brought it last. All names are one file, which is replaced as a whole. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import type { Digest } from './digest.ts';

const FILE = 'names.json';
/** Longer ones are nobody's; of more the oldest are forgotten. */
const NAME_CHARACTERS = 512;
const NAMES = 10_000;

/** From the oldest to the newest. */
export function readNames(directory: string): ReadonlyMap<string, Digest> {
  const path = join(directory, FILE);
  if (!existsSync(path)) return new Map();
  try {
    return new Map(JSON.parse(readFileSync(path, 'utf8')) as [string, Digest][]);
  } catch (cause) {
    throw new HearthError('StoreFailed', `${path} can't be read: ${String(cause)}. Remove it: images are found by their digests then`, {
      cause,
    });
  }
}

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

function write(directory: string, names: readonly (readonly [string, Digest])[]): void {
  const fresh = join(directory, `.new-${FILE}`);
  writeFileSync(fresh, JSON.stringify(names.slice(-NAMES)), { flush: true });
  renameSync(fresh, join(directory, FILE));
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
