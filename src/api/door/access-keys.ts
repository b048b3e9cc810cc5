/**
 * Who may come in when authentication is on: access keys as AWS has them. Checking a signature needs the secret itself, so secrets are
 * stored sealed (AES-256-GCM) under a key that lies outside the database: a copied database alone opens no door.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { HearthError } from '../../kernel/mod.ts';
import type { Clock, Random } from '../../kernel/mod.ts';
import type { Store } from '../../ports/mod.ts';

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
  /** 32 bytes. */
  readonly sealingKey: Uint8Array;
};

type KeyRecord = {
  readonly schema: 1;
  readonly description: string;
  readonly createdMs: number;
  /** Base64: nonce, tag, ciphertext. */ readonly sealed: string;
};
type KnownKey = AccessKey & { readonly secret: string };

const MAX_KEYS = 500;

/** Reads all keys. Throws `DataDirectoryUnusable` when the sealing key is not the one they were sealed with. */
export async function openAccessKeys(options: AccessKeysOptions): Promise<AccessKeys> {
  const { store, random, clock, sealingKey } = options;
  const known = new Map<string, KnownKey>();
  for (const { key, value } of await store.list<KeyRecord>('keys/', { limit: MAX_KEYS })) {
    const accessKeyId = key.slice('keys/'.length);
    const { description, createdMs } = value;
    known.set(accessKeyId, { accessKeyId, description, createdMs, secret: unseal(sealingKey, accessKeyId, value.sealed) });
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
        sealed: seal(sealingKey, accessKeyId, secret, random),
      };
      await store.commit([{ kind: 'put', key: `keys/${accessKeyId}`, value, expect: 0 }]);
      known.set(accessKeyId, { ...shown, secret });
      return { ...shown, secretAccessKey: secret };
    },
    async delete(accessKeyId) {
      if (!known.has(accessKeyId)) return false;
      await store.commit([{ kind: 'delete', key: `keys/${accessKeyId}` }]);
      known.delete(accessKeyId);
      return true;
    },
  };
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function seal(sealingKey: Uint8Array, accessKeyId: string, secret: string, random: Random): string {
  const nonce = random.bytes(NONCE_BYTES);
  // The id is authenticated with it: a record moved to another id doesn't open.
  const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(accessKeyId));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

function unseal(sealingKey: Uint8Array, accessKeyId: string, text: string): string {
  const bytes = Buffer.from(text, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', sealingKey, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(accessKeyId)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString();
  } catch (cause) {
    throw new HearthError(
      'DataDirectoryUnusable',
      `The access key ${accessKeyId} cannot be opened: the key file in the data directory is not the one it was sealed with. Restore that file from where the data came from.`,
      { cause },
    );
  }
}

function base32(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32]).join('');
}
