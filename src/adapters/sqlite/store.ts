import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { assertKey, encodeValue } from '../../ports/mod.ts';
import type { Store, StoredRecord, Write } from '../../ports/mod.ts';
import type { CommitResult, EncodedWrite } from './group.ts';
import { openReader } from './reader.ts';
import type { Reader } from './reader.ts';
import { startWriter } from './writer-thread.ts';
import type { WriterThread } from './writer-thread.ts';

export type SqliteStoreOptions = {
  /** The database file; made when it is not there, its directory must be. */
  readonly path: string;
  readonly limits?: {
    readonly queuedCommits: number;
    readonly queuedBytes: number;
    readonly groupCommits: number;
    readonly groupBytes: number;
  };
  /** Another writer thread, for tests. */
  readonly writerScript?: URL;
};

type Waiting = {
  readonly writes: readonly EncodedWrite[];
  readonly bytes: number;
  readonly resolve: (revision: number) => void;
  readonly reject: (error: HearthError) => void;
};

/**
 * The embedded store: one SQLite file in WAL mode. All commits that arrive while a group is being written make the next group,
 * one transaction and one fsync; each is acknowledged after that. Reads use a connection of their own in this thread: they take
 * microseconds, wait for no writer, and see every acknowledged commit, since WAL readers begin at the last one.
 */
export class SqliteStore implements Store {
  readonly #limits: NonNullable<SqliteStoreOptions['limits']>;
  readonly #writer: WriterThread;
  readonly #reader: Reader;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #pump: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** Throws HearthError `DataDirectoryUnusable` for a file that is not a Hearth store, is damaged, or was written by a newer Hearth. */
  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    const writer = await startWriter(options.path, options.writerScript);
    try {
      return new SqliteStore(writer, openReader(options.path), options.limits ?? LIMITS.store);
    } catch (cause) {
      await writer.close();
      throw new HearthError('DataDirectoryUnusable', `the store ${options.path} cannot be read: ${String(cause)}`, { cause });
    }
  }

  private constructor(writer: WriterThread, reader: Reader, limits: NonNullable<SqliteStoreOptions['limits']>) {
    this.#writer = writer;
    this.#reader = reader;
    this.#limits = limits;
  }

  async get<T>(key: string): Promise<StoredRecord<T> | undefined> {
    this.#assertOpen();
    assertKey(key);
    return this.#reader.get<T>(key);
  }

  async list<T>(prefix: string, page: { readonly after?: string; readonly limit?: number } = {}): Promise<readonly StoredRecord<T>[]> {
    this.#assertOpen();
    return this.#reader.list<T>(prefix, page.after ?? '', page.limit ?? 1_000);
  }

  async commit(writes: readonly Write[]): Promise<number> {
    this.#assertOpen();
    const encoded = writes.map(encode);
    const bytes = encoded.reduce((sum, write) => sum + write.key.length + (write.value?.length ?? 0), 0);
    if (
      this.#queue.length >= this.#limits.queuedCommits ||
      (this.#queuedBytes > 0 && this.#queuedBytes + bytes > this.#limits.queuedBytes)
    ) {
      throw new HearthError(
        'StoreFailed',
        `${this.#queue.length} commits wait for the disk already: it is too slow for this load. Try again later.`,
      );
    }
    return await new Promise<number>((resolve, reject) => {
      this.#queue.push({ writes: encoded, bytes, resolve, reject });
      this.#queuedBytes += bytes;
      this.#pump ??= this.#writeGroups();
    });
  }

  async scrub(): Promise<void> {
    this.#assertOpen();
    while (this.#pump) await this.#pump;
    const scrubbing = this.#writer.scrub();
    // What is committed meanwhile waits for the writer.
    const over = async () => {
      await Promise.allSettled([scrubbing]);
      await this.#writeGroups();
    };
    this.#pump = over();
    await scrubbing;
  }

  /** Writes what waits, then closes the file. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#pump;
      this.#reader.close();
      await this.#writer.close();
    })();
    return this.#closed;
  }

  async #writeGroups(): Promise<void> {
    // Lets the commits of this turn of the event loop into the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      try {
        const results = await this.#writer.commit(group.map((waiting) => waiting.writes));
        for (const [index, waiting] of group.entries()) settle(waiting, results[index]);
      } catch (error) {
        for (const waiting of group) waiting.reject(error instanceof HearthError ? error : failed(String(error)));
      }
    }
    this.#pump = undefined;
  }

  #takeGroup(): Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && (count >= this.#limits.groupCommits || bytes + waiting.bytes > this.#limits.groupBytes)) break;
      count += 1;
      bytes += waiting.bytes;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  #assertOpen(): void {
    if (this.#closed) throw new HearthError('StoreFailed', 'the store is closed: this node is shutting down');
  }
}

function encode(write: Write): EncodedWrite {
  if (write.kind === 'put') return { key: write.key, value: encodeValue(write.key, write.value), expect: write.expect };
  assertKey(write.key);
  return { key: write.key, value: null, expect: write.expect };
}

function settle(waiting: Waiting, result: CommitResult | undefined): void {
  switch (result?.kind) {
    case 'committed':
      return waiting.resolve(result.revision);
    case 'conflict':
      return waiting.reject(new HearthError('StoreConflict', `${result.message}. Read it again and retry.`));
    case 'failed':
      return waiting.reject(failed(result.message));
    case undefined:
      return waiting.reject(failed('the writer thread left a commit without a result'));
  }
}

function failed(why: string): HearthError {
  return new HearthError(
    'StoreFailed',
    `the store could not complete a write: ${why}. Nothing of it was stored; check the disk's space and health.`,
  );
}
