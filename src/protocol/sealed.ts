/**
 * Secrets as they are stored: AES-256-GCM (NIST SP 800-38D) under a key that lies outside the store, with a random nonce. What a secret is
 * about is authenticated with it, so that a sealed text moved to another place does not open there. The text names its key, so that
 * keys can be changed: `1.KEYID.BASE64`, the last of nonce, tag and ciphertext. Texts from before keys had names are the last part alone.
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { assert } from '../kernel/mod.ts';
import type { Random } from '../kernel/mod.ts';

export const SEALING_KEY_BYTES = 32;

export interface Seal {
  /** Of the key that seals. */
  readonly keyId: string;
  /** Of all keys that open. */
  readonly keyIds: readonly string[];
  seal(secret: string, about: string): string;
  /** Undefined: it is sealed with another key, is about something else, or was changed. */
  open(sealed: string, about: string): string | undefined;
  /** Whether it names the key that seals. */
  isCurrent(sealed: string): boolean;
}

/** `keys`: 32 bytes each. The first one seals; the others only open what was sealed before. */
export function createSeal(keys: readonly Uint8Array[], random: Random): Seal {
  const named = keys.map((key) => ({ key, id: sealingKeyId(key) }));
  const current = named[0];
  assert(current !== undefined, 'a seal needs a key');
  const prefix = `${VERSION}.${current.id}.`;
  return {
    keyId: current.id,
    keyIds: named.map(({ id }) => id),
    seal: (secret, about) => prefix + encrypt(current.key, random.bytes(NONCE_BYTES), secret, about),
    open(sealed, about) {
      const [version, id, body] = sealed.split('.');
      if (id === undefined || body === undefined) return firstOpened(named, sealed, about);
      const found = version === VERSION ? named.find((each) => each.id === id) : undefined;
      return found && decrypt(found.key, body, about);
    },
    isCurrent: (sealed) => sealed.startsWith(prefix),
  };
}

/** Names a key without telling anything about it: the key is random, and this is a digest. */
export function sealingKeyId(key: Uint8Array): string {
  assert(key.length === SEALING_KEY_BYTES, `a sealing key has ${SEALING_KEY_BYTES} bytes`);
  return createHash('sha256').update('hearth sealing key').update(key).digest('hex').slice(0, 16);
}

const VERSION = '1';
const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function firstOpened(keys: readonly { readonly key: Uint8Array }[], body: string, about: string): string | undefined {
  for (const { key } of keys) {
    const opened = decrypt(key, body, about);
    if (opened !== undefined) return opened;
  }
  return undefined;
}

function encrypt(key: Uint8Array, nonce: Uint8Array, secret: string, about: string): string {
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(about));
  const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
}

function decrypt(key: Uint8Array, body: string, about: string): string | undefined {
  const bytes = Buffer.from(body, 'base64');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString();
  } catch {
    // The tag does not match: this is what opening is there to find out.
    return undefined;
  }
}
