import { HearthError, LIMITS, silentLog } from '../kernel/mod.ts';
import type { Clock, Log, Random } from '../kernel/mod.ts';
import type { Blobs, Store, Write } from '../ports/mod.ts';
import type { Seal } from '../protocol/mod.ts';
import { functionArn } from './arn.ts';
import type { Realm } from './arn.ts';
import { CodeKeeper } from './code-keeper.ts';
import type { CodeStore } from './code-store.ts';
import { ImageKeeper } from './image-keeper.ts';
import type { ImageStore } from './image-store.ts';
import { Layers } from './layers.ts';
import { loadFunction, loadFunctions } from './load.ts';
import { functionKey, versionKey } from './record-keys.ts';
import type { FunctionRecord } from './records.ts';
import { packagesOf } from './run-state.ts';
import { sealFunction, sealVersion } from './sealed-records.ts';
import { EMPTY_TABLE, makeEntry, withEntry } from './table.ts';
import type { CodeState, FunctionEntry, FunctionTable, FunctionVersion } from './table.ts';
import { Turns } from './turns.ts';

export type FunctionsOptions = {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly code: CodeStore;
  /** Absent: no function can be made of a container image. */
  readonly images?: ImageStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly realm: Realm;
  /** Closes and opens what functions keep secret in the store. */
  readonly seal: Seal;
  /** How many invocations the account may have at a time. */
  readonly concurrency?: number;
  /** Hears of code that could not be removed. */
  readonly log?: Log;
};

/** What changed: the function as it is now, or undefined when it was deleted. */
export type FunctionChange = {
  readonly name: string;
  readonly entry: FunctionEntry | undefined;
  /** The SHA-256 of packages that the function had before and has no more. */
  readonly formerCode: readonly string[];
  /** The digests of images, likewise. */
  readonly formerImages: readonly string[];
};

type EarlyListener = (entry: FunctionEntry) => () => void;

/** What a change makes of a function. */
export type NextFunction<R> = {
  /** Undefined: the function is deleted, with all its versions. */
  readonly record: FunctionRecord | undefined;
  /** Of `$LATEST`, when its code or its layers changed. */
  readonly latestCode?: CodeState;
  readonly addVersions?: readonly FunctionVersion[];
  readonly removeVersions?: readonly string[];
  /** What has to be on disk before the commit, under way. */
  readonly storing?: Promise<unknown>;
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
  readonly seal: Seal;
  readonly concurrency: number;
  readonly log: Log;
  readonly layers: Layers;
  readonly images: ImageKeeper;
  /** The current table. Read it anew for every request. */
  table: FunctionTable = EMPTY_TABLE;
  readonly #listeners = new Set<(change: FunctionChange) => void>();
  readonly #earlyListeners = new Set<EarlyListener>();
  readonly #turns = new Turns((name) => this.#reload(name));
  readonly #keeper: CodeKeeper;

  /** Loads every layer and function, and unpacks the code that isn't there any more. */
  static async open(options: FunctionsOptions): Promise<Functions> {
    const functions = new Functions(options, await Layers.open(options));
    functions.table = await loadFunctions(functions);
    return functions;
  }

  private constructor(options: FunctionsOptions, layers: Layers) {
    this.layers = layers;
    this.images = new ImageKeeper({ images: options.images, users: (digest) => this.#usersOf(digest) });
    this.store = options.store;
    this.blobs = options.blobs;
    this.code = options.code;
    this.clock = options.clock;
    this.random = options.random;
    this.realm = options.realm;
    this.seal = options.seal;
    this.concurrency = options.concurrency ?? LIMITS.concurrentInvocations;
    this.log = options.log ?? silentLog;
    this.#keeper = new CodeKeeper({
      blobs: this.blobs,
      code: this.code,
      log: this.log,
      inUse: () => this.codeInUse(),
      certain: () => this.#turns.certain && layers.certain,
    });
  }

  /** Calls `listener` after each change, once the table shows it. Returns how to stop. */
  onChange(listener: (change: FunctionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Calls `listener` with a function as it will be, while that is being stored: what takes time can begin. Nobody else sees it yet. What
   * the listener returns is called when storing fails. Returns how to stop.
   */
  onComing(listener: EarlyListener): () => void {
    this.#earlyListeners.add(listener);
    return () => void this.#earlyListeners.delete(listener);
  }

  /** The function, or ResourceNotFoundException. `qualifier` is only for the message. */
  get(name: string, qualifier?: string): FunctionEntry {
    const entry = this.table.byName.get(name);
    if (!entry) throw new HearthError('ResourceNotFoundException', `Function not found: ${functionArn(this.realm, name, qualifier)}`);
    return entry;
  }

  /** The SHA-256 of every package that some version of a function or of a layer refers to. */
  codeInUse(): Set<string> {
    const used = this.layers.codeInUse();
    for (const entry of this.table.byName.values()) addCodeOf(entry, used);
    return used;
  }

  #usersOf(digest: string): string[] {
    const versions = [...this.table.byName.values()].flatMap((entry) =>
      [...entry.versions.values()].map(({ record }) => ({ entry, record })),
    );
    return versions.flatMap(({ entry, record }) => (record.code.image?.digest === digest ? `${entry.name}:${record.version}` : []));
  }

  /** As CodeKeeper's `hold`. */
  holdCode(sha256: string): () => Promise<void> {
    return this.#keeper.hold(sha256);
  }

  /** As CodeKeeper's `sweep`. */
  sweepCode(): Promise<void> {
    return this.#keeper.sweep();
  }

  /**
   * Changes an existing function. `decide` sees it as it is after all changes before this one. Throws what `decide` throws,
   * `ResourceNotFoundException`, `ResourceConflictException` (changed by someone else meanwhile), `StoreFailed`.
   */
  change<R>(name: string, decide: (entry: FunctionEntry) => NextFunction<R> | Promise<NextFunction<R>>): Promise<R> {
    return this.#turns.take(name, async () => {
      const entry = this.get(name);
      return this.#apply(name, entry, await decide(entry));
    });
  }

  /** Like `change`, for a function that must not exist yet. */
  add<R>(name: string, decide: () => Promise<NextFunction<R>>): Promise<R> {
    return this.#turns.take(name, async () => {
      if (this.table.byName.has(name)) throw new HearthError('ResourceConflictException', `Function already exist: ${name}`);
      return this.#apply(name, undefined, await decide());
    });
  }

  async #apply<R>(name: string, entry: FunctionEntry | undefined, next: NextFunction<R>): Promise<R> {
    const coming = next.record && this.#nextEntry(next.record, entry?.revision ?? 0, entry, next);
    const revision = await this.#store(name, entry, next, coming);
    const changed = coming && { ...coming, revision };
    this.#show(name, changed);
    return next.result(changed);
  }

  async #store(
    name: string,
    entry: FunctionEntry | undefined,
    next: NextFunction<unknown>,
    coming: FunctionEntry | undefined,
  ): Promise<number> {
    const withdrawals = coming ? [...this.#earlyListeners].map((listener) => listener(coming)) : [];
    try {
      await next.storing;
      return await this.#commit(name, writesFor(this.seal, name, entry, next));
    } catch (error) {
      for (const withdraw of withdrawals) withdraw();
      throw error;
    }
  }

  #show(name: string, entry: FunctionEntry | undefined): void {
    const former = addCodeOf(this.table.byName.get(name), new Set());
    for (const sha256 of addCodeOf(entry, new Set())) former.delete(sha256);
    const images = imagesOf(this.table.byName.get(name)).difference(imagesOf(entry));
    this.table = withEntry(this.table, name, entry);
    for (const listener of this.#listeners) listener({ name, entry, formerCode: [...former], formerImages: [...images] });
  }

  /** A commit that failed may be stored all the same, or have met a change by someone else: the table follows the store. */
  async #commit(name: string, writes: readonly Write[]): Promise<number> {
    try {
      return await this.store.commit(writes);
    } catch (error) {
      this.#turns.doubt(name);
      if (!(error instanceof HearthError) || error.code !== 'StoreConflict') throw error;
      const message = `The operation cannot be performed at this time. An update is in progress for resource: ${functionArn(this.realm, name)}`;
      throw new HearthError('ResourceConflictException', message, { cause: error });
    }
  }

  async #reload(name: string): Promise<void> {
    this.#show(name, await loadFunction(this, name));
  }

  #nextEntry(record: FunctionRecord, revision: number, entry: FunctionEntry | undefined, next: NextFunction<unknown>): FunctionEntry {
    const removed = new Set(next.removeVersions);
    const kept = [...(entry?.versions.values() ?? [])].filter((v) => v.record.version !== '$LATEST' && !removed.has(v.record.version));
    const latestCode = next.latestCode ?? entry?.versions.get('$LATEST')?.code;
    if (!latestCode) throw new HearthError('Internal', `the new function ${record.name} has no code`);
    return makeEntry(functionArn(this.realm, record.name), record, revision, [...kept, ...(next.addVersions ?? [])], latestCode);
  }
}

function addCodeOf(entry: FunctionEntry | undefined, to: Set<string>): Set<string> {
  for (const { record } of entry?.versions.values() ?? []) for (const sha256 of packagesOf(record)) to.add(sha256);
  return to;
}

const imagesOf = (entry: FunctionEntry | undefined): Set<string> =>
  new Set([...(entry?.versions.values() ?? [])].flatMap(({ record }) => record.code.image?.digest ?? []));

function writesFor(seal: Seal, name: string, entry: FunctionEntry | undefined, next: NextFunction<unknown>): Write[] {
  const expect = entry?.revision ?? 0;
  if (next.record === undefined) {
    const published = [...entry!.versions.keys()].filter((version) => version !== '$LATEST');
    return [
      { kind: 'delete', key: functionKey(name), expect },
      ...published.map((version): Write => ({ kind: 'delete', key: versionKey(name, version) })),
    ];
  }
  return [
    { kind: 'put', key: functionKey(name), value: sealFunction(seal, next.record), expect },
    ...(next.addVersions ?? []).map(({ record }): Write => ({
      kind: 'put',
      key: versionKey(name, record.version),
      value: sealVersion(seal, name, record),
      expect: 0,
    })),
    ...(next.removeVersions ?? []).map((version): Write => ({ kind: 'delete', key: versionKey(name, version) })),
  ];
}
