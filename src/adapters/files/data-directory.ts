import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import { hasCode, syncDirectory, writeDurably } from './durable.ts';
import { LOCK_FILES, lockDirectory } from './lock.ts';
import type { DirectoryLock } from './lock.ts';
import { unmountBelow } from './mounts.ts';

/** The one directory that holds everything a node keeps. Paths are absolute. */
export type DataDirectory = {
  readonly path: string;
  /** The SQLite file of the store. */
  readonly storeFile: string;
  /** Deployment packages by content. */
  readonly blobs: string;
  /** Unpacked packages: can be made again from the blobs. */
  readonly code: string;
  /** Archives of container images on their way in. What is unpacked of them lies beside the unpacked code. */
  readonly images: string;
  readonly logs: string;
  /** Sockets and mounts of the running process; empty after opening. */
  readonly run: string;
  /** Gives the lock back. Idempotent. */
  close(): Promise<void>;
};

/**
 * Opens or makes a data directory (mode 0700) and locks it against a second process for as long as this one lives.
 * Throws HearthError `DataDirectoryLocked`, or `DataDirectoryUnusable` when it cannot be made or written, holds other files, or
 * was written by a newer Hearth.
 */
export async function openDataDirectory(options: { readonly path: string }): Promise<DataDirectory> {
  const path = resolve(options.path);
  let lock: DirectoryLock | undefined;
  try {
    const made = await mkdir(path, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncDirectory(resolve(made, '..'));
    const version = await checkVersion(path);
    await chmod(path, 0o700);
    lock = lockDirectory(path);
    if (version === undefined) await writeMarker(path);
    return await arrange(path, lock);
  } catch (cause) {
    lock?.release();
    if (cause instanceof HearthError) throw cause;
    throw unusable(
      path,
      `cannot be used: ${explain(cause)}. Use another with --data or HEARTH_DATA, or give this one to the user Hearth runs as`,
      cause,
    );
  }
}

async function arrange(path: string, lock: DirectoryLock): Promise<DataDirectory> {
  const inside = (name: string) => join(path, name);
  const [blobs, code, images, logs, run] = [inside('blobs'), inside('code'), inside('images'), inside('logs'), inside('run')];
  await sweep(path);
  for (const directory of [blobs, code, images, logs, run]) await mkdir(directory, { recursive: true, mode: 0o700 });
  await unmountBelow(run);
  for (const name of await readdir(run)) await rm(join(run, name), { recursive: true, force: true });
  await syncDirectory(path);
  return { path, storeFile: join(path, 'store.db'), blobs, code, images, logs, run, close: async () => lock.release() };
}

/** Names the format of the directory as a whole; the store inside has a schema version of its own. */
const MARKER = 'hearth.json';
const VERSION = 1;
const TEMPORARY_MARKER = /^hearth\.json\..*\.tmp$/;

async function writeMarker(path: string): Promise<void> {
  const text = `${JSON.stringify({ hearthData: VERSION })}\n`;
  await writeDurably(join(path, MARKER), join(path, `${MARKER}.${randomUUID()}.tmp`), path, Buffer.from(text));
}

/** The version in the marker; undefined for a directory that has none and is free to take. */
async function checkVersion(path: string): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile(join(path, MARKER), 'utf8');
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await checkEmpty(path);
    return undefined;
  }
  const version = /^\{"hearthData":(\d+)\}\n?$/.exec(text)?.[1];
  if (version === undefined)
    throw unusable(path, `has a ${MARKER} that cannot be understood: it is damaged, or not Hearth's. Restore it from a backup`);
  if (Number(version) <= VERSION) return Number(version);
  throw unusable(
    path,
    `has format ${version}, and this Hearth knows formats up to ${VERSION}: a newer Hearth wrote it. Start that version or a later one`,
  );
}

/** A directory without a marker is ours to take only when nothing is in it, except what a first start leaves before the marker. */
async function checkEmpty(path: string): Promise<void> {
  const foreign = (await readdir(path)).filter(
    (name) => !LOCK_FILES.includes(name) && !TEMPORARY_MARKER.test(name) && name !== 'lost+found',
  );
  if (foreign.length === 0) return;
  const some = foreign.slice(0, 3).join(', ');
  throw unusable(path, `holds other files (${some}) and no ${MARKER}: it is not a data directory. Use an empty or a new one`);
}

async function sweep(path: string): Promise<void> {
  for (const name of await readdir(path)) if (TEMPORARY_MARKER.test(name)) await rm(join(path, name), { force: true });
}

function unusable(path: string, what: string, cause?: unknown): HearthError {
  return new HearthError('DataDirectoryUnusable', `the data directory ${path} ${what}.`, { cause });
}

function explain(cause: unknown): string {
  if (hasCode(cause, 'EACCES', 'EPERM')) return 'permission denied';
  if (hasCode(cause, 'EROFS')) return 'its file system is read-only';
  if (hasCode(cause, 'ENOTDIR', 'EEXIST')) return 'something that is not a directory is in the way';
  if (cause instanceof Error && hasCode(cause, 'ERR_SQLITE_ERROR')) return `it cannot be written (${cause.message})`;
  if (hasCode(cause, 'ENOSPC', 'EDQUOT')) return 'no space is left';
  return cause instanceof Error ? cause.message : String(cause);
}
