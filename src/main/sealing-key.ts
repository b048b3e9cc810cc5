import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError } from '../kernel/mod.ts';
import type { Random } from '../kernel/mod.ts';

const FILE = 'sealing.key';
const BYTES = 32;

/**
 * The key that secrets in the store are sealed with: a file beside the database, for its owner only, made on first use. The data
 * directory's lock keeps others out meanwhile. Throws `DataDirectoryUnusable`.
 */
export async function readSealingKey(dataDirectory: string, random: Random): Promise<Uint8Array> {
  const path = join(dataDirectory, FILE);
  const found = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new HearthError('DataDirectoryUnusable', `${path} cannot be read: ${cause.message}`, { cause });
  });
  if (found?.length === BYTES) return found;
  if (found) throw new HearthError('DataDirectoryUnusable', `${path} is damaged: restore it from where the data came from.`);
  const fresh = random.bytes(BYTES);
  await writeWhole(path, fresh, dataDirectory);
  return fresh;
}

/** Whole or not at all, and on disk before anything is sealed with it. */
async function writeWhole(path: string, bytes: Uint8Array, directory: string): Promise<void> {
  const temporary = `${path}.new`;
  await using file = await open(temporary, 'w', 0o600);
  await file.writeFile(bytes);
  await file.sync();
  await rename(temporary, path);
  await using parent = await open(directory, 'r');
  await parent.sync();
}
