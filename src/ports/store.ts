import { assert, HearthError, LIMITS } from '../kernel/mod.ts';

/**
 * Records by key, ordered, each with a revision. What `commit` acknowledged survives `kill -9` and power loss.
 *
 * Keys are slash-separated, 1 to 512 bytes of printable ASCII, e.g. `functions/hello`. Values are JSON-serialisable.
 * A revision is a positive integer, unique in the store and growing with every commit.
 */
export interface Store {
  get<T>(key: string): Promise<StoredRecord<T> | undefined>;
  /** Records whose key begins with `prefix`, in byte order of their keys, after the key `after`, at most `limit` (default 1,000). */
  list<T>(prefix: string, page?: { readonly after?: string; readonly limit?: number }): Promise<readonly StoredRecord<T>[]>;
  /**
   * All of the writes or none: what they expect is checked before the first, then they are applied in order. Resolves with the
   * commit's revision once they are durable. Throws HearthError: `StoreConflict` when a record does not have the revision a write
   * expects (nothing is changed), `StoreFailed` when the disk refuses.
   */
  commit(writes: readonly Write[]): Promise<number>;
  /** Removes what was overwritten or deleted before from wherever the store keeps it. Slow; commits wait. Throws HearthError `StoreFailed`. */
  scrub(): Promise<void>;
  close(): Promise<void>;
}

export type StoredRecord<T> = { readonly key: string; readonly value: T; readonly revision: number };

/** `expect`: the revision the record must have now; 0: it must not exist; absent: whatever it is. */
export type Write =
  | { readonly kind: 'put'; readonly key: string; readonly value: unknown; readonly expect?: number }
  | { readonly kind: 'delete'; readonly key: string; readonly expect?: number };

/** What every store checks before it writes. Asserts that the key is one; throws HearthError `StoreFailed` for a value over the limit. */
export function encodeValue(key: string, value: unknown): string {
  assertKey(key);
  const text: string | undefined = JSON.stringify(value);
  assert(text !== undefined, `the value of ${key} cannot be written as JSON`);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.store.valueBytes) {
    throw new HearthError('StoreFailed', `the value of ${key} has ${bytes} bytes, over the limit of ${LIMITS.store.valueBytes}`);
  }
  return text;
}

export function assertKey(key: string): void {
  assert(
    /^[\x20-\x7e]{1,512}$/.test(key),
    `a store key must be 1 to 512 characters of printable ASCII, and this one is not: ${JSON.stringify(key)}`,
  );
}
