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
   * All of the writes or none. Resolves with the commit's revision once they are durable. Throws HearthError: `StoreConflict` when a
   * record does not have the revision a write expects (nothing is changed), `StoreFailed` when the disk refuses.
   */
  commit(writes: readonly Write[]): Promise<number>;
  close(): Promise<void>;
}

export type StoredRecord<T> = { readonly key: string; readonly value: T; readonly revision: number };

/** `expect`: the revision the record must have now; 0: it must not exist; absent: whatever it is. */
export type Write =
  | { readonly kind: 'put'; readonly key: string; readonly value: unknown; readonly expect?: number }
  | { readonly kind: 'delete'; readonly key: string; readonly expect?: number };
