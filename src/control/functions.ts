import { HearthError } from '../kernel/mod.ts';
import type { Clock, Random } from '../kernel/mod.ts';
import type { Blobs, Store, Write } from '../ports/mod.ts';
import { functionArn } from './arn.ts';
import type { Realm } from './arn.ts';
import type { CodeStore } from './code-store.ts';
import { functionKey, loadFunction, loadFunctions, versionKey } from './load.ts';
import type { FunctionRecord } from './records.ts';
import { EMPTY_TABLE, makeEntry, withEntry } from './table.ts';
import type { CodeState, FunctionEntry, FunctionTable, FunctionVersion } from './table.ts';

export type FunctionsOptions = {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly code: CodeStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly realm: Realm;
};

/** What changed: the function as it is now, or undefined when it was deleted. */
export type FunctionChange = { readonly name: string; readonly entry: FunctionEntry | undefined };

/** What a change makes of a function. */
export type NextFunction<R> = {
  /** Undefined: the function is deleted, with all its versions. */
  readonly record: FunctionRecord | undefined;
  /** Of `$LATEST`, when its code changed. */
  readonly latestCode?: CodeState;
  readonly addVersions?: readonly FunctionVersion[];
  readonly removeVersions?: readonly string[];
  readonly result: (entry: FunctionEntry | undefined) => R;
};

/**
 * All functions of this Hearth. They live in memory as one immutable table; a change is decided on the table, committed to the store
 * with the revision it was decided on, and only then shown in the table and answered. Changes of one function come one after another.
 */
export class Functions {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly code: CodeStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly realm: Realm;
  /** The current table. Read it anew for every request. */
  table: FunctionTable = EMPTY_TABLE;
  readonly #listeners = new Set<(change: FunctionChange) => void>();
  /** The last change of each function that is still going on. */
  readonly #running = new Map<string, Promise<unknown>>();
  /** Functions of which a commit failed: what the store has of them must be read before the next change. */
  readonly #uncertain = new Set<string>();

  /** Loads every function, and unpacks the code that isn't there any more. */
  static async open(options: FunctionsOptions): Promise<Functions> {
    const functions = new Functions(options);
    functions.table = await loadFunctions(options);
    return functions;
  }

  private constructor(options: FunctionsOptions) {
    this.store = options.store;
    this.blobs = options.blobs;
    this.code = options.code;
    this.clock = options.clock;
    this.random = options.random;
    this.realm = options.realm;
  }

  /** Calls `listener` after each change, once the table shows it. Returns how to stop. */
  onChange(listener: (change: FunctionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The function, or ResourceNotFoundException. `qualifier` is only for the message. */
  get(name: string, qualifier?: string): FunctionEntry {
    const entry = this.table.byName.get(name);
    if (!entry) throw new HearthError('ResourceNotFoundException', `Function not found: ${functionArn(this.realm, name, qualifier)}`);
    return entry;
  }

  /** The SHA-256 of every package that some version refers to. */
  codeInUse(): Set<string> {
    const used = new Set<string>();
    for (const entry of this.table.byName.values()) for (const version of entry.versions.values()) used.add(version.record.code.sha256);
    return used;
  }

  /**
   * Changes an existing function. `decide` sees it as it is after all changes before this one. Throws what `decide` throws,
   * `ResourceNotFoundException`, `ResourceConflictException` (changed by someone else meanwhile), `StoreFailed`.
   */
  change<R>(name: string, decide: (entry: FunctionEntry) => NextFunction<R> | Promise<NextFunction<R>>): Promise<R> {
    return this.#inTurn(name, async () => {
      const entry = this.get(name);
      return this.#apply(name, entry, await decide(entry));
    });
  }

  /** Like `change`, for a function that must not exist yet. */
  add<R>(name: string, decide: () => Promise<NextFunction<R>>): Promise<R> {
    return this.#inTurn(name, async () => {
      if (this.table.byName.has(name)) throw new HearthError('ResourceConflictException', `Function already exist: ${name}`);
      return this.#apply(name, undefined, await decide());
    });
  }

  async #inTurn<R>(name: string, run: () => Promise<R>): Promise<R> {
    const before = this.#running.get(name);
    const start = async () => {
      if (this.#uncertain.has(name)) await this.#reload(name);
      return run();
    };
    const turn = before ? before.then(start, start) : start();
    this.#running.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#running.get(name) === turn) this.#running.delete(name);
    }
  }

  async #apply<R>(name: string, entry: FunctionEntry | undefined, next: NextFunction<R>): Promise<R> {
    const revision = await this.#commit(name, writesFor(name, entry, next));
    const changed = next.record && this.#nextEntry(next.record, revision, entry, next);
    this.#show(name, changed);
    return next.result(changed);
  }

  #show(name: string, entry: FunctionEntry | undefined): void {
    this.table = withEntry(this.table, name, entry);
    for (const listener of this.#listeners) listener({ name, entry });
  }

  /** A commit that failed may be stored all the same, or have met a change by someone else: the table follows the store. */
  async #commit(name: string, writes: readonly Write[]): Promise<number> {
    try {
      return await this.store.commit(writes);
    } catch (error) {
      this.#uncertain.add(name);
      if (!(error instanceof HearthError) || error.code !== 'StoreConflict') throw error;
      const message = `The operation cannot be performed at this time. An update is in progress for resource: ${functionArn(this.realm, name)}`;
      throw new HearthError('ResourceConflictException', message, { cause: error });
    }
  }

  async #reload(name: string): Promise<void> {
    this.#show(name, await loadFunction(this, name));
    this.#uncertain.delete(name);
  }

  #nextEntry(record: FunctionRecord, revision: number, entry: FunctionEntry | undefined, next: NextFunction<unknown>): FunctionEntry {
    const removed = new Set(next.removeVersions);
    const kept = [...(entry?.versions.values() ?? [])].filter((v) => v.record.version !== '$LATEST' && !removed.has(v.record.version));
    const latestCode = next.latestCode ?? entry?.versions.get('$LATEST')?.code;
    if (!latestCode) throw new HearthError('Internal', `the new function ${record.name} has no code`);
    return makeEntry(functionArn(this.realm, record.name), record, revision, [...kept, ...(next.addVersions ?? [])], latestCode);
  }
}

function writesFor(name: string, entry: FunctionEntry | undefined, next: NextFunction<unknown>): Write[] {
  const expect = entry?.revision ?? 0;
  if (next.record === undefined) {
    const published = [...entry!.versions.keys()].filter((version) => version !== '$LATEST');
    return [
      { kind: 'delete', key: functionKey(name), expect },
      ...published.map((version): Write => ({ kind: 'delete', key: versionKey(name, version) })),
    ];
  }
  return [
    { kind: 'put', key: functionKey(name), value: next.record, expect },
    ...(next.addVersions ?? []).map(({ record }): Write => ({
      kind: 'put',
      key: versionKey(name, record.version),
      value: record,
      expect: 0,
    })),
    ...(next.removeVersions ?? []).map((version): Write => ({ kind: 'delete', key: versionKey(name, version) })),
  ];
}
