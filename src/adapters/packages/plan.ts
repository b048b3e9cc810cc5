/**
 * Decides, from what a zip's directory says about one entry, what to make of it, and refuses everything that could reach outside the
 * package: absolute and climbing names, links that leave, devices, names that cannot be files. Pure: it touches no disk.
 *
 * Links are judged by their text alone. That is enough, because `..` is only allowed at a target's beginning and no entry may lie
 * below a link: the leading `..` steps climb real directories of the package, and every further step either goes down or follows
 * another link, for which the same holds.
 */
import { HearthError, LIMITS } from '../../kernel/mod.ts';

/** What a zip's central directory says about an entry. */
export type EntryFacts = {
  readonly name: string;
  readonly nameBytes: number;
  readonly versionMadeBy: number;
  readonly externalAttributes: number;
  readonly compressionMethod: number;
  readonly encrypted: boolean;
  readonly size: number;
};

/** `path` is relative, slash-separated and without `.`, `..` and empty parts. */
export type PlannedEntry =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly mode: 0o644 | 0o755 }
  | { readonly kind: 'link'; readonly path: string };

/** Throws HearthError `InvalidParameterValueException` for an entry that must not be unpacked. Undefined: nothing to do for it. */
export function planEntry(facts: EntryFacts): PlannedEntry | undefined {
  const path = safePath(facts);
  const kind = kindOf(facts);
  if (kind === 'directory') {
    if (facts.size > 0) throw badZip(`the directory ${quote(facts.name)} has content`);
    return path === '' ? undefined : { kind, path };
  }
  if (path === '' || facts.name.endsWith('/')) throw badZip(`${quote(facts.name)} is not the name of a file`);
  if (facts.encrypted) throw badZip(`${quote(facts.name)} is encrypted`);
  if (facts.compressionMethod !== 0 && facts.compressionMethod !== 8) {
    throw badZip(`${quote(facts.name)} is compressed by method ${facts.compressionMethod}; store or deflate it`);
  }
  return kind === 'link' ? { kind, path } : { kind, path, mode: modeOf(facts) };
}

/** Throws for a link that leaves the package, or might. */
export function checkLinkTarget(path: string, target: string): void {
  const refuse = (why: string) => badZip(`the symbolic link ${quote(path)} ${why}`);
  if (target === '' || target.length > LIMITS.zipEntryNameBytes) throw refuse('has an empty or overlong target');
  if (target.includes('\0') || target.includes('\\')) throw refuse('has a target with forbidden characters');
  if (target.startsWith('/')) throw refuse(`points to the absolute path ${quote(target)}`);
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const climbs = parts.findIndex((part) => part !== '..');
  const leading = climbs === -1 ? parts.length : climbs;
  if (parts.slice(leading).includes('..')) throw refuse(`climbs after it descended: ${quote(target)}`);
  if (leading > path.split('/').length - 1) throw refuse(`points outside the package: ${quote(target)}`);
}

/** Refuses two entries whose bytes share a place in the archive: how a small zip unpacks to petabytes. `ranges`: [start, end). */
export function checkOverlap(ranges: readonly (readonly [number, number])[]): void {
  const sorted = ranges.toSorted((a, b) => a[0] - b[0]);
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i]![0] < sorted[i - 1]![1]) throw badZip('two entries share the same bytes of the archive');
  }
}

/** Lambda's own wording, then the reason. */
export function badZip(reason: string, cause?: unknown): HearthError {
  return new HearthError(
    'InvalidParameterValueException',
    `Could not unzip uploaded file. Please check your file, then try to upload again. (${reason})`,
    cause === undefined ? undefined : { cause },
  );
}

export const tooLarge = (): HearthError =>
  new HearthError('InvalidParameterValueException', `Unzipped size must be smaller than ${LIMITS.unzippedBytes} bytes`);

function safePath({ name, nameBytes }: EntryFacts): string {
  if (nameBytes > LIMITS.zipEntryNameBytes) throw badZip(`an entry name has ${nameBytes} bytes; ${LIMITS.zipEntryNameBytes} are allowed`);
  if (name === '') throw badZip('an entry has no name');
  if (/[\0\\]/.test(name)) throw badZip(`${quote(name)} contains a backslash or a zero byte`);
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) throw badZip(`${quote(name)} is an absolute path`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw badZip(`${quote(name)} leaves the package`);
  if (parts.some((part) => Buffer.byteLength(part) > 255)) throw badZip(`${quote(name)} has a part of more than 255 bytes`);
  return parts.join('/');
}

function kindOf({ name, versionMadeBy, externalAttributes }: EntryFacts): PlannedEntry['kind'] {
  const type = madeOnUnix(versionMadeBy) ? (externalAttributes >>> 28) & 0xf : 0;
  switch (type) {
    case 0:
      return name.endsWith('/') ? 'directory' : 'file';
    case 0o4:
      return 'directory';
    case 0o10:
      return 'file';
    case 0o12:
      return 'link';
    default:
      throw badZip(`${quote(name)} is a device, a pipe or a socket`);
  }
}

/** Readable by the sandbox's user whatever the archive says, and never set-uid. Without Unix modes anything may be meant to run. */
function modeOf({ versionMadeBy, externalAttributes }: EntryFacts): 0o644 | 0o755 {
  const mode = madeOnUnix(versionMadeBy) ? externalAttributes >>> 16 : 0;
  return mode === 0 || (mode & 0o111) !== 0 ? 0o755 : 0o644;
}

/** 3: Unix; 19: macOS, which writes the same attributes. */
const madeOnUnix = (versionMadeBy: number): boolean => [3, 19].includes(versionMadeBy >>> 8);

const quote = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
