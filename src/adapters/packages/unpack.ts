/**
 * Unpacks a zip into an empty directory. Two passes: the first reads the archive's directory and refuses what `plan.ts` refuses, before
 * a byte is written; the second writes. What an entry declares as its size is a promise it is held to: inflating stops one byte
 * beyond it, so the real bytes on disk are never more than what the first pass has admitted. Links are made last, so no file is ever
 * written through one.
 */
import { chmod, mkdir, open, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { fromBufferPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { badZip, checkLinkTarget, checkOverlap, planEntry, tooLarge } from './plan.ts';
import type { PlannedEntry } from './plan.ts';

/** Files written at a time: enough to keep the disk busy, few enough to bound the memory inflated at once. */
const PARALLEL = 4;

export type UnpackedSize = { readonly files: number; readonly bytes: number };

/** `directory` exists and is empty. Throws HearthError `InvalidParameterValueException`; the directory is then in any state. */
export async function unpackZip(zip: Buffer, directory: string): Promise<UnpackedSize> {
  const archive = await openArchive(zip);
  const { steps, directories } = await planArchive(archive, zip);
  await makeDirectories(directory, directories);
  const links: { readonly path: string; readonly target: string }[] = [];
  await inParallel(steps, async ({ plan, entry, dataStart }) => {
    if (plan.kind === 'directory') return;
    const content = await contentOf(zip, entry, dataStart);
    if (plan.kind === 'file') return writeFile(join(directory, plan.path), content, plan.mode);
    const target = content.toString('utf8');
    checkLinkTarget(plan.path, target);
    links.push({ path: plan.path, target });
  });
  for (const link of links) await symlink(link.target, join(directory, link.path)).catch(asBadZip(link.path));
  return sizeOf(steps);
}

/** What unpacking would write. Throws as `unpackZip` does, for what can be seen without unpacking. */
export async function measureZip(zip: Buffer): Promise<UnpackedSize> {
  return sizeOf((await planArchive(await openArchive(zip), zip)).steps);
}

const sizeOf = (steps: readonly Step[]): UnpackedSize => ({
  files: steps.length,
  bytes: steps.reduce((sum, step) => sum + step.entry.uncompressedSize, 0),
});

type Planned = { readonly steps: readonly Step[]; readonly directories: ReadonlySet<string> };
type Step = { readonly plan: PlannedEntry; readonly entry: Entry; readonly dataStart: number };

async function openArchive(zip: Buffer): Promise<ZipFile> {
  const archive = await fromBufferPromise(zip, { strictFileNames: true }).catch((error: unknown) => {
    throw badZip(textOf(error), error);
  });
  if (archive.entryCount === 0) throw new HearthError('InvalidParameterValueException', 'Uploaded file must be a non-empty zip');
  if (archive.entryCount > LIMITS.zipEntries) throw badZip(`${archive.entryCount} entries; ${LIMITS.zipEntries} are allowed`);
  return archive;
}

async function planArchive(archive: ZipFile, zip: Buffer): Promise<Planned> {
  const steps: Step[] = [];
  const seen = new Map<string, PlannedEntry['kind']>();
  const ranges: [number, number][] = [];
  let bytes = 0;
  for await (const entry of entriesOf(archive)) {
    const plan = planEntry(factsOf(entry));
    const dataStart = dataStartOf(zip, entry);
    ranges.push([entry.relativeOffsetOfLocalHeader, dataStart + entry.compressedSize]);
    bytes += entry.uncompressedSize;
    if (bytes >= LIMITS.unzippedBytes) throw tooLarge();
    if (!plan) continue;
    const before = seen.get(plan.path);
    if (before === 'directory' && plan.kind === 'directory') continue;
    if (before) throw badZip(`${JSON.stringify(plan.path)} occurs twice`);
    seen.set(plan.path, plan.kind);
    steps.push({ plan, entry, dataStart });
  }
  checkOverlap(ranges);
  return { steps, directories: directoriesOf(steps, seen) };
}

async function* entriesOf(archive: ZipFile): AsyncGenerator<Entry> {
  const entries = archive.eachEntry();
  for (;;) {
    const next = await entries.next().catch((error: unknown) => {
      throw badZip(textOf(error), error);
    });
    if (next.done) return;
    yield next.value;
  }
}

const factsOf = (entry: Entry) => ({
  name: entry.fileName,
  nameBytes: entry.fileNameLength,
  versionMadeBy: entry.versionMadeBy,
  externalAttributes: entry.externalFileAttributes,
  compressionMethod: entry.compressionMethod,
  encrypted: entry.isEncrypted(),
  size: entry.uncompressedSize,
});

/** Where an entry's data begin, from its local header, which must lie within the archive together with them. */
function dataStartOf(zip: Buffer, entry: Entry): number {
  const at = entry.relativeOffsetOfLocalHeader;
  if (at + 30 > zip.length || zip.readUInt32LE(at) !== 0x04034b50) throw badZip(`${JSON.stringify(entry.fileName)} has no local header`);
  const start = at + 30 + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28);
  if (start + entry.compressedSize > zip.length) throw badZip(`${JSON.stringify(entry.fileName)} is cut off`);
  return start;
}

/** All that have to be made, each once: a few long names can ask for millions. None may lie below a file or a link, nor may an entry. */
function directoriesOf(steps: readonly Step[], seen: ReadonlyMap<string, PlannedEntry['kind']>): ReadonlySet<string> {
  const wanted = new Set<string>();
  for (const { plan } of steps) {
    for (let path = plan.kind === 'directory' ? plan.path : dirname(plan.path); path !== '.' && !wanted.has(path); path = dirname(path)) {
      const kind = seen.get(path);
      if (kind === 'file' || kind === 'link') throw badZip(`${JSON.stringify(plan.path)} lies below a file or a link`);
      wanted.add(path);
      if (wanted.size > LIMITS.zipEntries) throw badZip(`more than ${LIMITS.zipEntries} directories`);
    }
  }
  return wanted;
}

async function makeDirectories(root: string, wanted: ReadonlySet<string>): Promise<void> {
  // Sorted: a parent comes before its children. Modes by chmod, because the umask would take the sandbox user's bits.
  for (const path of [...wanted].toSorted()) {
    await mkdir(join(root, path)).catch(asBadZip(path));
    await chmod(join(root, path), 0o755);
  }
}

const inflate = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw);

async function contentOf(zip: Buffer, entry: Entry, dataStart: number): Promise<Buffer> {
  const raw = zip.subarray(dataStart, dataStart + entry.compressedSize);
  const name = JSON.stringify(entry.fileName);
  const content =
    entry.compressionMethod === 0
      ? raw
      : await inflate(raw, { maxOutputLength: Math.max(1, entry.uncompressedSize) }).catch((error: unknown) => {
          throw badZip(`${name} cannot be inflated to the size that it declares`, error);
        });
  if (content.length !== entry.uncompressedSize) throw badZip(`${name} does not have the size that it declares`);
  if (crc32(content) !== entry.crc32) throw badZip(`${name} is damaged: its checksum does not match`);
  return content;
}

async function writeFile(path: string, content: Buffer, mode: number): Promise<void> {
  // 'wx': on a file system that ignores case, two names that differ in case only are one; better refused than mixed up.
  const file = await open(path, 'wx', mode).catch(asBadZip(path));
  try {
    await file.writeFile(content);
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async () => {
    for (const item of queue) {
      if (failed) return;
      await run(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** What the archive's names cause on this file system is the archive's fault; a full disk is not. */
const asBadZip =
  (path: string) =>
  (error: NodeJS.ErrnoException): never => {
    const blamed = ['EEXIST', 'ENAMETOOLONG', 'ENOTDIR', 'EISDIR', 'EINVAL', 'EILSEQ', 'ELOOP'];
    if (blamed.includes(error.code ?? '')) throw badZip(`${JSON.stringify(path.slice(-100))} cannot be written: ${error.code}`, error);
    throw error;
  };

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 200);
