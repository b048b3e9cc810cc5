/**
 * Who may come in when authentication is on: access keys as AWS has them. Checking a signature needs the secret itself, so secrets are
 * stored sealed under a key that lies outside the database: a copied database alone opens no door.
 */
import { HearthError } from '../../kernel/mod.ts';
import type { Clock, Random } from '../../kernel/mod.ts';
import type { Store, Write } from '../../ports/mod.ts';
import type { Seal } from '../../protocol/mod.ts';

export interface AccessKeys {
  /** From memory: no store access for a request. */
  secretOf(accessKeyId: string): string | undefined;
  /** The secret is shown here and never again. Throws `InvalidParameterValueException` at the limit. */
  create(options?: { readonly description?: string }): Promise<AccessKey & { readonly secretAccessKey: string }>;
  /** In the order of their creation. */
  list(): readonly AccessKey[];
  /** False: there was none. */
  delete(accessKeyId: string): Promise<boolean>;
}

export type AccessKey = { readonly accessKeyId: string; readonly description: string; readonly createdMs: number };

export type AccessKeysOptions = {
  readonly store: Store;
  readonly random: Random;
  readonly clock: Clock;
  readonly seal: Seal;
};

type KeyRecord = {
  readonly schema: 1;
  readonly description: string;
  readonly createdMs: number;
  readonly sealed: string;
};
type KnownKey = AccessKey & { readonly secret: string };

const PREFIX = 'keys/';
const MAX_KEYS = 500;

/** Reads all keys. Throws `DataDirectoryUnusable` when one of them does not open. */
export async function openAccessKeys(options: AccessKeysOptions): Promise<AccessKeys> {
  const { store, random, clock, seal } = options;
  const known = new Map<string, KnownKey>();
  for (const { key, value } of await store.list<KeyRecord>(PREFIX, { limit: MAX_KEYS })) {
    const accessKeyId = key.slice(PREFIX.length);
    const { description, createdMs } = value;
    known.set(accessKeyId, { accessKeyId, description, createdMs, secret: unseal(seal, accessKeyId, value.sealed) });
  }
  return {
    secretOf: (accessKeyId) => known.get(accessKeyId)?.secret,
    list: () => [...known.values()].sort((a, b) => a.createdMs - b.createdMs).map(({ secret: _, ...shown }) => shown),
    async create({ description = '' } = {}) {
      if (known.size >= MAX_KEYS)
        throw new HearthError(
          'InvalidParameterValueException',
          `There are ${MAX_KEYS} access keys already; delete some that are not used.`,
        );
      const accessKeyId = `AKIA${base32(random.bytes(16))}`;
      const secret = Buffer.from(random.bytes(30)).toString('base64');
      const shown = { accessKeyId, description, createdMs: clock.now() };
      const value: KeyRecord = {
        schema: 1,
        description,
        createdMs: shown.createdMs,
        sealed: seal.seal(secret, accessKeyId),
      };
      await store.commit([{ kind: 'put', key: `${PREFIX}${accessKeyId}`, value, expect: 0 }]);
      known.set(accessKeyId, { ...shown, secret });
      return { ...shown, secretAccessKey: secret };
    },
    async delete(accessKeyId) {
      if (!known.has(accessKeyId)) return false;
      await store.commit([{ kind: 'delete', key: `${PREFIX}${accessKeyId}` }]);
      known.delete(accessKeyId);
      return true;
    },
  };
}

/** Whether there is anything that only the sealing key opens. */
export async function hasSealedKeys(store: Store): Promise<boolean> {
  return (await store.list(PREFIX, { limit: 1 })).length > 0;
}

/** What has to be written so that every secret is sealed with the key that seals now. Undefined: one of them does not open. */
export async function resealAccessKeys(store: Store, seal: Seal): Promise<Write[] | undefined> {
  const writes: Write[] = [];
  for (const { key, value, revision } of await store.list<KeyRecord>(PREFIX, { limit: MAX_KEYS })) {
    if (seal.isCurrent(value.sealed)) continue;
    const accessKeyId = key.slice(PREFIX.length);
    const secret = seal.open(value.sealed, accessKeyId);
    if (secret === undefined) return undefined;
    writes.push({ kind: 'put', key, value: { ...value, sealed: seal.seal(secret, accessKeyId) }, expect: revision });
  }
  return writes;
}

/** The id is authenticated with the secret: a record moved to another id doesn't open. */
function unseal(seal: Seal, accessKeyId: string, sealed: string): string {
  const secret = seal.open(sealed, accessKeyId);
  if (secret !== undefined) return secret;
  throw new HearthError(
    'DataDirectoryUnusable',
    `The access key ${accessKeyId} cannot be opened: its record was changed, or comes from another data directory. Restore the store from a backup.`,
  );
}

function base32(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32]).join('');
}
