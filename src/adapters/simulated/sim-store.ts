import { HearthError } from '../../kernel/mod.ts';
import { assertKey, encodeValue } from '../../ports/mod.ts';
import type { Store, StoredRecord, Write } from '../../ports/mod.ts';

/** What outlives a simulated crash: open another SimStore on it. */
export type SimStoreDisk = { revision: number; readonly records: Map<string, { readonly text: string; readonly revision: number }> };

export type SimStoreOptions = {
  readonly disk?: SimStoreDisk;
  /** Asked before each commit; `before`: the disk refuses it, `after`: it is stored, but its acknowledgement is lost. */
  readonly fault?: () => 'none' | 'before' | 'after';
};

/** A store in memory that behaves as the embedded one does, for tests and simulation. */
export class SimStore implements Store {
  readonly #disk: SimStoreDisk;
  readonly #fault: NonNullable<SimStoreOptions['fault']>;
  #closed = false;

  static async open(options: SimStoreOptions = {}): Promise<SimStore> {
    return new SimStore(options);
  }

  private constructor(options: SimStoreOptions) {
    this.#disk = options.disk ?? { revision: 0, records: new Map() };
    this.#fault = options.fault ?? (() => 'none');
  }

  async get<T>(key: string): Promise<StoredRecord<T> | undefined> {
    this.#assertOpen();
    assertKey(key);
    return this.#record<T>(key);
  }

  async list<T>(prefix: string, page: { readonly after?: string; readonly limit?: number } = {}): Promise<readonly StoredRecord<T>[]> {
    this.#assertOpen();
    const after = page.after ?? '';
    return [...this.#disk.records.keys()]
      .filter((key) => key.startsWith(prefix) && key > after)
      .toSorted((a, b) => (a < b ? -1 : 1))
      .slice(0, page.limit ?? 1_000)
      .map((key) => this.#record<T>(key)!);
  }

  async commit(writes: readonly Write[]): Promise<number> {
    this.#assertOpen();
    const texts = writes.map((write) => (write.kind === 'put' ? encodeValue(write.key, write.value) : (assertKey(write.key), null)));
    const fault = this.#fault();
    if (fault === 'before') throw new HearthError('StoreFailed', 'the simulated disk refused a write');
    for (const write of writes) this.#checkExpectation(write);
    const revision = ++this.#disk.revision;
    for (const [index, write] of writes.entries()) {
      const text = texts[index];
      if (typeof text === 'string') this.#disk.records.set(write.key, { text, revision });
      else this.#disk.records.delete(write.key);
    }
    if (fault === 'after') throw new HearthError('StoreFailed', 'the simulated disk lost an acknowledgement');
    return revision;
  }

  async scrub(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #record<T>(key: string): StoredRecord<T> | undefined {
    const found = this.#disk.records.get(key);
    return found && { key, value: JSON.parse(found.text) as T, revision: found.revision };
  }

  #checkExpectation(write: Write): void {
    const found = this.#disk.records.get(write.key)?.revision ?? 0;
    if (write.expect === undefined || write.expect === found) return;
    throw new HearthError(
      'StoreConflict',
      `${write.key} has revision ${found}, and the write expects ${write.expect}. Read it again and retry.`,
    );
  }

  #assertOpen(): void {
    if (this.#closed) throw new HearthError('StoreFailed', 'the store is closed: this node is shutting down');
  }
}
