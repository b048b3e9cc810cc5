import { openDataDirectory } from '../adapters/files/mod.ts';
import { SqliteStore } from '../adapters/sqlite/mod.ts';
import { openAccessKeys } from '../api/door/mod.ts';
import type { AccessKeys } from '../api/door/mod.ts';
import { systemClock, systemRandom } from '../kernel/mod.ts';
import { readSealingKey } from './sealing-key.ts';

export type OpenKeys = AccessKeys & { close(): Promise<void> };

/** The access keys in a data directory that no Hearth has open: how the first key is made. Throws HearthError `DataDirectoryLocked`. */
export async function openKeys(options: { readonly dataDirectory: string }): Promise<OpenKeys> {
  await using opened = new AsyncDisposableStack();
  const data = opened.adopt(await openDataDirectory({ path: options.dataDirectory }), (directory) => directory.close());
  const store = opened.adopt(await SqliteStore.open({ path: data.storeFile }), (each) => each.close());
  const keys = await openAccessKeys({
    store,
    random: systemRandom,
    clock: systemClock,
    sealingKey: await readSealingKey(data.path, systemRandom),
  });
  const toClose = opened.move();
  return { ...keys, close: () => toClose.disposeAsync() };
}
