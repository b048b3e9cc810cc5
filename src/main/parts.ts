/** Everything of a node that holds a file or a process, each opened beside the others as far as they don't need one another. */
import { join } from 'node:path';
import { FileBlobs, FileFunctionLogs, openDataDirectory } from '../adapters/files/mod.ts';
import { openImages, openUploads } from '../adapters/images/mod.ts';
import type { Images, Uploads } from '../adapters/images/mod.ts';
import { openPackages } from '../adapters/packages/mod.ts';
import type { Packages } from '../adapters/packages/mod.ts';
import { SqliteStore } from '../adapters/sqlite/mod.ts';
import type { Clock, Log } from '../kernel/mod.ts';
import type { Blobs, FunctionLogs, Sandboxes, Store } from '../ports/mod.ts';
import type { Ahead } from './ahead.ts';
import { openSandboxes } from './drivers.ts';
import type { Driver } from './drivers.ts';
import { readSealingKeys, sealingKeyFile } from './sealing-key.ts';
import type { Connected } from './way-out.ts';

export type Parts = {
  readonly dataDirectory: string;
  readonly store: Store;
  readonly logs: FunctionLogs;
  readonly blobs: Blobs;
  readonly packages: Packages;
  readonly images: Images;
  readonly uploads: Uploads;
  readonly keyFile: string;
  /** What is in the key file; undefined: it is not there. */
  readonly sealingKeys: readonly Uint8Array[] | undefined;
  /** Takes longest: processes are started, and tried out. Never rejects unheard. */
  readonly sandboxes: Promise<Sandboxes>;
};

export type PartsOptions = {
  readonly dataDirectory: string;
  /** Where the sealing key is, if not in the data directory. */
  readonly keyFile?: string;
  readonly driver: Driver;
  /** How many there may be, all functions together. */
  readonly instances: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Where connections out of sandboxes go. */
  readonly connected: Connected;
  readonly ahead?: Ahead | undefined;
  /** Called when all is under way: from then on others work, and this thread has time. */
  readonly begun?: () => void;
};

/** What is opened is closed by `opened`, also what was opened before a failure. */
export async function openParts(options: PartsOptions, opened: AsyncDisposableStack): Promise<Parts> {
  const { driver, instances, ahead, clock, log, connected } = options;
  const data = opened.adopt(await openDataDirectory({ path: options.dataDirectory }), (directory) => directory.close());
  const blobs = await FileBlobs.open({ directory: data.blobs });
  const packages = opened.adopt(await openPackages({ directory: data.code, blobs }), (open) => open.close());
  // Where sandboxes can show them.
  const images = opened.adopt(await openImages({ directory: join(data.code, 'images') }), (open) => open.close());
  const uploads = opened.adopt(await openUploads({ directory: join(data.images, 'uploads') }), (open) => open.close());
  const sandboxes = openSandboxes({ driver, directory: data.run, packages: data.code, instances, clock, log, connected, ahead });
  // Whatever else fails meanwhile: sandboxes that are still coming up have to be waited for, to be closed.
  opened.defer(async () => {
    const [result] = await Promise.allSettled([sandboxes]);
    if (result.status === 'fulfilled') await result.value.sandboxes.close();
  });
  const openStore = async () => opened.adopt(await SqliteStore.open({ path: data.storeFile }), (store) => store.close());
  const openLogs = async () =>
    opened.adopt(await FileFunctionLogs.open({ directory: data.logs, clock, log }), async (logs) => {
      await logs.flush();
      await logs.close();
    });
  const keyFile = sealingKeyFile(data.path, options.keyFile);
  const opening = settled(openStore(), openLogs(), readSealingKeys(keyFile));
  options.begun?.();
  const [store, logs, sealingKeys] = await opening;
  return {
    dataDirectory: data.path,
    store,
    logs,
    blobs,
    packages,
    images,
    uploads,
    keyFile,
    sealingKeys,
    sandboxes: warned(sandboxes, log),
  };
}

/** As Promise.all, but waits for the others when one fails: what they open has to be known to be closed again. */
async function settled<A, B, C>(a: Promise<A>, b: Promise<B>, c: Promise<C>): Promise<[A, B, C]> {
  await Promise.allSettled([a, b, c]);
  return await Promise.all([a, b, c]);
}

async function warned(opening: ReturnType<typeof openSandboxes>, log: Log): Promise<Sandboxes> {
  const { sandboxes, reason } = await opening;
  if (!sandboxes.isolated) {
    log.warn(
      reason === undefined ? {} : { reason },
      'FUNCTIONS RUN WITHOUT ISOLATION: as plain processes of this user, with all that this user may do. Run only code you trust; "hearth doctor" says what is missing',
    );
  }
  return sandboxes;
}
