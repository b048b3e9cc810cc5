import { resolve } from 'node:path';
import { HearthError } from '../kernel/mod.ts';
import type { Context } from './context.ts';
import { tableText } from './text.ts';

export type KeyOptions = { readonly data?: string; readonly keyFile?: string };

type KeyView = { readonly accessKeyId: string; readonly description?: string; readonly createdMs: number };
type CreatedKey = KeyView & { readonly secretAccessKey: string };

/** The keys of a running platform, over HTTP, or those in a data directory that nobody has open. */
interface Keys {
  create(options: { readonly description?: string }): Promise<CreatedKey>;
  list(): readonly KeyView[] | Promise<readonly KeyView[]>;
  /** False: there was none. */
  delete(accessKeyId: string): Promise<boolean>;
}

export async function createKey(context: Context, options: KeyOptions & { readonly description?: string }): Promise<void> {
  const { out } = context;
  const key = await withKeys(context, options, (keys) =>
    keys.create(options.description === undefined ? {} : { description: options.description }),
  );
  out.result(key, () => `AWS_ACCESS_KEY_ID=${key.accessKeyId}\nAWS_SECRET_ACCESS_KEY=${key.secretAccessKey}`);
  out.note('The secret is not stored where it could be shown again: keep it now.');
}

export async function listKeys(context: Context, options: KeyOptions): Promise<void> {
  const { out } = context;
  const keys = await withKeys(context, options, async (open) => open.list());
  out.result(keys, () => {
    if (keys.length === 0) return 'No keys: "hearth keys create" makes one.';
    const rows = keys.map((key) => [key.accessKeyId, new Date(key.createdMs).toISOString().slice(0, 19), key.description ?? '']);
    return tableText(['KEY', 'CREATED', 'DESCRIPTION'], rows, out.paint.bold);
  });
}

export async function deleteKey(context: Context, accessKeyId: string, options: KeyOptions): Promise<void> {
  const deleted = await withKeys(context, options, async (keys) => keys.delete(accessKeyId));
  if (!deleted) throw new HearthError('ResourceNotFoundException', `There is no access key ${accessKeyId}`);
  context.out.result({ deleted: accessKeyId }, () => `${accessKeyId} deleted`);
}

/** Only where no Hearth runs: a running one has the key in use. */
export async function rotateKey(context: Context, options: KeyOptions): Promise<void> {
  const { rotateSealing } = await import('../main/mod.ts');
  const { keyId, keyFile } = await rotateSealing(
    placesOf(context, options, options.data ?? (context.environment['HEARTH_DATA'] || '.hearth')),
  );
  context.out.result({ keyId, keyFile }, () => `all secrets are sealed with the new key ${keyId}, which is in ${keyFile}`);
}

function placesOf(context: Context, options: KeyOptions, data: string): { readonly dataDirectory: string; readonly keyFile?: string } {
  const keyFile = options.keyFile ?? (context.environment['HEARTH_KEY_FILE'] || undefined);
  const dataDirectory = resolve(context.directory, data);
  return keyFile === undefined ? { dataDirectory } : { dataDirectory, keyFile: resolve(context.directory, keyFile) };
}

async function withKeys<T>(context: Context, options: KeyOptions, run: (keys: Keys) => Promise<T>): Promise<T> {
  if (options.data === undefined) return run(remoteKeys(context));
  const { openKeys } = await import('../main/mod.ts');
  const keys = await openKeys(placesOf(context, options, options.data));
  try {
    return await run(keys);
  } finally {
    await keys.close();
  }
}

const PATH = '/_hearth/keys';

const remoteKeys = ({ client }: Context): Keys => ({
  create: (options) => client.call<CreatedKey>({ method: 'POST', path: PATH, body: options }),
  list: async () => (await client.call<{ keys: KeyView[] }>({ method: 'GET', path: PATH })).keys,
  delete: async (accessKeyId) => {
    const path = `${PATH}/${encodeURIComponent(accessKeyId)}`;
    return (await client.find({ method: 'DELETE', path })) !== undefined;
  },
});
