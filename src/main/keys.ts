import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { openDataDirectory } from '../adapters/files/mod.ts';
import type { DataDirectory } from '../adapters/files/mod.ts';
import { SqliteStore } from '../adapters/sqlite/mod.ts';
import { openAccessKeys } from '../api/door/mod.ts';
import type { AccessKeys } from '../api/door/mod.ts';
import { HearthError, systemClock, systemRandom } from '../kernel/mod.ts';

export type OpenKeys = AccessKeys & { close(): Promise<void> };

/** The access keys in a data directory that no Hearth has open: how the first key is made. Throws HearthError `DataDirectoryLocked`. */
export async function openKeys(options: { readonly dataDirectory: string }): Promise<OpenKeys> {
  await using opened = new AsyncDisposableStack();
  const data = opened.adopt(await openDataDirectory({ path: options.dataDirectory }), (directory) => directory.close());
  const store = opened.adopt(await SqliteStore.open({ path: data.storeFile }), (each) => each.close());
  const keys = await openAccessKeys({ store, random: systemRandom, clock: systemClock, sealingKey: await readSealingKey(data) });
  const toClose = opened.move();
  return { ...keys, close: () => toClose.disposeAsync() };
}

const SEALING_KEY_BYTES = 32;

/**
 * The key that access keys are sealed with in the store: a file of its own, for its owner only, made on first use.
 * Throws HearthError `DataDirectoryUnusable`.
 */
export async function readSealingKey(data: Pick<DataDirectory, 'path'>): Promise<Uint8Array> {
  const path = join(data.path, 'sealing.key');
  const found = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new HearthError('DataDirectoryUnusable', `${path} cannot be read: ${cause.message}`, { cause });
  });
  if (!found) return makeSealingKey(data, path);
  if (found.length === SEALING_KEY_BYTES) return found;
  throw new HearthError('DataDirectoryUnusable', `${path} is damaged: it holds ${SEALING_KEY_BYTES} bytes. Restore it from a backup`);
}

/** Whole or not at all, and on disk before anything is sealed with it. The data directory's lock keeps others out meanwhile. */
async function makeSealingKey(data: Pick<DataDirectory, 'path'>, path: string): Promise<Uint8Array> {
  const key = systemRandom.bytes(SEALING_KEY_BYTES);
  const temporary = `${path}.new`;
  await using file = await open(temporary, 'w', 0o600);
  await file.writeFile(key);
  await file.sync();
  await rename(temporary, path);
  await using directory = await open(data.path);
  await directory.sync();
  return key;
}
