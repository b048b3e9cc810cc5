import { HearthError } from '../kernel/mod.ts';
import type { Store, StoredRecord, Write } from '../ports/mod.ts';
import type { Realm } from './arn.ts';
import { layerArn } from './layer-arn.ts';
import { LAYERS, LAYER_VERSIONS, layerKey, layerOfVersion, layerVersionKey, layerVersionsOf, listAll } from './record-keys.ts';
import type { LayerRecord, LayerVersionRecord } from './records.ts';
import { Turns } from './turns.ts';

export type LayerEntry = {
  readonly name: string;
  /** Without a version. */
  readonly arn: string;
  readonly record: LayerRecord;
  /** Of the record in the store; 0: it is not there yet. */
  readonly revision: number;
  /** In the order of their numbers. */
  readonly versions: ReadonlyMap<number, LayerVersion>;
};

export type LayerVersion = { readonly arn: string; readonly record: LayerVersionRecord; readonly revision: number };

/** What a change makes of a layer. */
export type NextLayer<R> = {
  readonly record?: LayerRecord;
  /** New, or in place of the one with that number. */
  readonly put?: LayerVersionRecord;
  readonly remove?: number;
  /** What has to be on disk before the commit, under way. */
  readonly storing?: Promise<unknown>;
  readonly result: (entry: LayerEntry) => R;
};

type Source = { readonly store: Store; readonly realm: Realm };

/** All layers of this Hearth, in memory as functions are: a change is committed to the store first, and only then shown. */
export class Layers {
  readonly #store: Store;
  readonly #realm: Realm;
  /** The current layers by name, also those of which all versions are deleted. Read it anew for every request. */
  table: ReadonlyMap<string, LayerEntry>;
  readonly #turns = new Turns((name) => this.#reload(name));

  static async open({ store, realm }: Source): Promise<Layers> {
    const versions = Map.groupBy(await listAll<LayerVersionRecord>(store, LAYER_VERSIONS), ({ key }) => layerOfVersion(key));
    const records = await listAll<LayerRecord>(store, LAYERS);
    const entries = records.map((stored) => makeEntry(realm, stored, versions.get(stored.value.name) ?? []));
    return new Layers({ store, realm }, new Map(entries.map((entry) => [entry.name, entry])));
  }

  private constructor({ store, realm }: Source, table: ReadonlyMap<string, LayerEntry>) {
    this.#store = store;
    this.#realm = realm;
    this.table = table;
  }

  /** Whether all that is in memory is what the store has. */
  get certain(): boolean {
    return this.#turns.certain;
  }

  /** The SHA-256 of every package that a layer version refers to. */
  codeInUse(): Set<string> {
    return new Set([...this.versions()].map(({ record }) => record.code.sha256));
  }

  *versions(): Generator<LayerVersion> {
    for (const entry of this.table.values()) yield* entry.versions.values();
  }

  /**
   * Changes a layer; `decide` sees it as it is after all changes before this one, and one that was never there without versions. Throws what
   * `decide` throws, `ResourceConflictException` (changed by someone else meanwhile), `StoreFailed`.
   */
  change<R>(name: string, decide: (entry: LayerEntry) => NextLayer<R> | Promise<NextLayer<R>>): Promise<R> {
    return this.#turns.take(name, async () => {
      const entry = this.table.get(name) ?? newEntry(this.#realm, name);
      const next = await decide(entry);
      await next.storing;
      const writes = writesFor(entry, next);
      if (writes.length === 0) return next.result(entry);
      const changed = nextEntry(entry, next, await this.#commit(entry, writes));
      this.#show(changed);
      return next.result(changed);
    });
  }

  async #commit({ name, arn }: LayerEntry, writes: readonly Write[]): Promise<number> {
    try {
      return await this.#store.commit(writes);
    } catch (error) {
      this.#turns.doubt(name);
      if (!(error instanceof HearthError) || error.code !== 'StoreConflict') throw error;
      const message = `The operation cannot be performed at this time. An update is in progress for resource: ${arn}`;
      throw new HearthError('ResourceConflictException', message, { cause: error });
    }
  }

  async #reload(name: string): Promise<void> {
    const stored = await this.#store.get<LayerRecord>(layerKey(name));
    const versions = await listAll<LayerVersionRecord>(this.#store, layerVersionsOf(name));
    this.#show(stored ? makeEntry(this.#realm, stored, versions) : newEntry(this.#realm, name));
  }

  #show(entry: LayerEntry): void {
    const table = new Map(this.table);
    if (entry.revision === 0) table.delete(entry.name);
    else table.set(entry.name, entry);
    this.table = table;
  }
}

function makeEntry(
  realm: Realm,
  { value: record, revision }: StoredRecord<LayerRecord>,
  stored: readonly StoredRecord<LayerVersionRecord>[],
): LayerEntry {
  const arn = layerArn(realm, record.name);
  const versions = stored.map(({ value, revision: own }): LayerVersion => ({
    arn: `${arn}:${value.version}`,
    record: value,
    revision: own,
  }));
  return { name: record.name, arn, record, revision, versions: new Map(versions.map((version) => [version.record.version, version])) };
}

const newEntry = (realm: Realm, name: string): LayerEntry => ({
  name,
  arn: layerArn(realm, name),
  record: { schema: 1, name, published: 0 },
  revision: 0,
  versions: new Map(),
});

function nextEntry(entry: LayerEntry, { record, put, remove }: NextLayer<unknown>, revision: number): LayerEntry {
  const versions = new Map(entry.versions);
  if (put) versions.set(put.version, { arn: `${entry.arn}:${put.version}`, record: put, revision });
  if (remove !== undefined) versions.delete(remove);
  return record ? { ...entry, record, revision, versions } : { ...entry, versions };
}

function writesFor({ name, revision, versions }: LayerEntry, { record, put, remove }: NextLayer<unknown>): Write[] {
  const writes: Write[] = [];
  if (record) writes.push({ kind: 'put', key: layerKey(name), value: record, expect: revision });
  if (put) {
    const expect = versions.get(put.version)?.revision ?? 0;
    writes.push({ kind: 'put', key: layerVersionKey(name, put.version), value: put, expect });
  }
  if (remove !== undefined) writes.push({ kind: 'delete', key: layerVersionKey(name, remove), expect: versions.get(remove)!.revision });
  return writes;
}
