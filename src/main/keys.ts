import { openDataDirectory } from '../adapters/files/mod.ts';
import { SqliteStore } from '../adapters/sqlite/mod.ts';
import { openAccessKeys } from '../api/door/mod.ts';
import type { AccessKeys } from '../api/door/mod.ts';
import { systemClock, systemRandom } from '../kernel/mod.ts';
import type { Store } from '../ports/mod.ts';
import { readSealingKeys, sealingKeyFile } from './sealing-key.ts';
import { openSeal, rotateSealingKey } from './sealing.ts';

export type OpenKeys = AccessKeys & { close(): Promise<void> };

export type KeysOptions = {
  readonly dataDirectory: string;
  /** Where the sealing key is; default: in the data directory. */
  readonly keyFile?: string;
};

/**
 * The access keys in a data directory that no Hearth has open: how the first key is made. Throws HearthError `DataDirectoryLocked`,
 * `DataDirectoryUnusable`, `SealingKeyUnusable`.
 */
export async function openKeys(options: KeysOptions): Promise<OpenKeys> {
  await using opened = new AsyncDisposableStack();
  const { store, keyFile } = await openStore(options, opened);
  const seal = await openSeal({ store, keyFile, keys: await readSealingKeys(keyFile), random: systemRandom });
  const keys = await openAccessKeys({ store, random: systemRandom, clock: systemClock, seal });
  const toClose = opened.move();
  return { ...keys, close: () => toClose.disposeAsync() };
}

/** Seals the secrets of a data directory that no Hearth has open with a new key. Gives that key's id. Throws as `openKeys` does. */
export async function rotateSealing(options: KeysOptions): Promise<{ readonly keyId: string; readonly keyFile: string }> {
  await using opened = new AsyncDisposableStack();
  const { store, keyFile } = await openStore(options, opened);
  return { keyId: await rotateSealingKey({ store, keyFile, random: systemRandom }), keyFile };
}

async function openStore(options: KeysOptions, opened: AsyncDisposableStack): Promise<{ readonly store: Store; readonly keyFile: string }> {
  const data = opened.adopt(await openDataDirectory({ path: options.dataDirectory }), (directory) => directory.close());
  const store = opened.adopt(await SqliteStore.open({ path: data.storeFile }), (each) => each.close());
  return { store, keyFile: sealingKeyFile(data.path, options.keyFile) };
}
