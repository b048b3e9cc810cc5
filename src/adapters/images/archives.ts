/** Which image an archive has brought, so that the same one need not be sent again. All are one file, which is replaced as a whole. */
import type { Digest } from './digest.ts';
import { readReplaced, replaceFile } from './replaced-file.ts';

const FILE = 'archives.json';
/** Of more the oldest are forgotten: they are sent once more. */
const ARCHIVES = 1_000;
/** One that gives more, or longer ones, is sent again each time. */
const NAMES = 100;
const NAME_CHARACTERS = 512;

/** `bytes`: the digest of the file itself. `name`: which of several images in it was asked for. */
export type Archive = { readonly bytes: string; readonly name: string | undefined };
/** `names`: those that it gives the image. */
export type Brought = { readonly digest: Digest; readonly names: readonly string[] };

export const findArchive = (directory: string, archive: Archive): Brought | undefined =>
  read(directory).find(([key]) => key === keyOf(archive))?.[1];

export function rememberArchive(directory: string, archive: Archive, brought: Brought): void {
  if (brought.names.length > NAMES || brought.names.some((name) => name.length > NAME_CHARACTERS)) return;
  const others = read(directory).filter(([key]) => key !== keyOf(archive));
  replaceFile(directory, FILE, [...others, [keyOf(archive), brought]].slice(-ARCHIVES));
}

export function forgetArchives(directory: string, digest: Digest): void {
  const before = read(directory);
  const left = before.filter(([, brought]) => brought.digest !== digest);
  if (left.length < before.length) replaceFile(directory, FILE, left);
}

const keyOf = ({ bytes, name }: Archive): string => (name === undefined ? bytes : `${bytes} ${name}`);

/** From the oldest to the newest. */
const read = (directory: string): readonly (readonly [string, Brought])[] =>
  (readReplaced(directory, FILE, 'archives are sent again then') ?? []) as readonly (readonly [string, Brought])[];
