/** The seal of a data directory: its key is found and proved, and what is not sealed with it yet is. */
import { hasSealedKeys, resealAccessKeys } from '../api/door/mod.ts';
import { resealFunctions } from '../control/mod.ts';
import { HearthError } from '../kernel/mod.ts';
import type { Random } from '../kernel/mod.ts';
import type { Store } from '../ports/mod.ts';
import { SEALING_KEY_BYTES, createSeal } from '../protocol/mod.ts';
import type { Seal } from '../protocol/mod.ts';
import { readSealingKeys, writeSealingKeys } from './sealing-key.ts';

export type SealOptions = {
  readonly store: Store;
  /** What is in the key file, if that has been read already. */
  readonly keys?: readonly Uint8Array[] | undefined;
  readonly keyFile: string;
  readonly random: Random;
};

/** Which key the store is sealed with, at `sealing/key`. */
type SealMark = {
  readonly schema: 1;
  readonly keyId: string;
  /** Nothing of what was there before is left in the store's files. */
  readonly scrubbed: boolean;
};

const MARK = 'sealing/key';

/**
 * Makes a key when there is nothing sealed yet, and seals everything anew that is plain or sealed with a former key. Throws
 * `SealingKeyUnusable` when the key is missing or not the one that the store is sealed with; nothing is changed then.
 */
export async function openSeal(options: SealOptions): Promise<Seal> {
  const { store, keyFile, random } = options;
  const mark = await store.get<SealMark>(MARK);
  const seal = createSeal(options.keys ?? (await firstKeys(options, mark?.value)), random);
  if (mark && !seal.keyIds.includes(mark.value.keyId)) throw otherKey(keyFile, seal, mark.value.keyId);
  if (mark?.value.keyId === seal.keyId && mark.value.scrubbed) return seal;
  const accessKeys = await resealAccessKeys(store, seal);
  if (!accessKeys) throw otherKey(keyFile, seal);
  const fresh: SealMark = { schema: 1, keyId: seal.keyId, scrubbed: false };
  const put = (value: SealMark) => ({ kind: 'put', key: MARK, value }) as const;
  await store.commit([...accessKeys, ...(await resealFunctions(store, seal)), put(fresh)]);
  await store.scrub();
  await store.commit([put({ ...fresh, scrubbed: true })]);
  return seal;
}

/** Seals everything with a new key, and forgets the ones before. Gives the id of the new one. Throws as `openSeal` does. */
export async function rotateSealingKey(options: Omit<SealOptions, 'keys'>): Promise<string> {
  const { keyFile, random } = options;
  await openSeal({ ...options, keys: await readSealingKeys(keyFile) });
  const fresh = random.bytes(SEALING_KEY_BYTES);
  // Until everything is sealed with the new one the others stay: whenever this ends, the next start goes on from there.
  await writeSealingKeys(keyFile, [fresh, ...((await readSealingKeys(keyFile)) ?? [])]);
  const seal = await openSeal({ ...options, keys: await readSealingKeys(keyFile) });
  await writeSealingKeys(keyFile, [fresh]);
  return seal.keyId;
}

async function firstKeys({ store, keyFile, random }: SealOptions, mark: SealMark | undefined): Promise<readonly Uint8Array[]> {
  if (mark || (await hasSealedKeys(store)))
    throw new HearthError(
      'SealingKeyUnusable',
      `there is no key file ${keyFile}, and the secrets in the store are sealed${mark ? ` with the key ${mark.keyId}` : ''}. Restore it, or say with --key-file or HEARTH_KEY_FILE where it is.`,
    );
  const keys = [random.bytes(SEALING_KEY_BYTES)];
  await writeSealingKeys(keyFile, keys);
  return keys;
}

function otherKey(keyFile: string, seal: Seal, wanted?: string): HearthError {
  const wants = wanted === undefined ? 'another one' : wanted;
  return new HearthError(
    'SealingKeyUnusable',
    `the key file ${keyFile} has the key ${seal.keyIds.join(', ')}, and the secrets in the store are sealed with ${wants}. Give the file that belongs to this data directory.`,
  );
}
