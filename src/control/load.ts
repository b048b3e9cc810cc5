import { asHearthError } from '../kernel/mod.ts';
import type { Store, StoredRecord } from '../ports/mod.ts';
import { functionArn } from './arn.ts';
import type { Realm } from './arn.ts';
import type { CodeStore } from './code-store.ts';
import type { FunctionRecord, VersionRecord } from './records.ts';
import { makeEntry } from './table.ts';
import type { CodeState, FunctionEntry, FunctionTable, FunctionVersion } from './table.ts';

const FUNCTIONS = 'functions/';
const VERSIONS = 'versions/';
const PAGE = 1_000;
/** Packages looked at a time: enough to hide the disk's latency, few enough to leave room for other work. */
const UNPACK_AT_ONCE = 16;

export const functionKey = (name: string): string => `${FUNCTIONS}${name}`;
/** Padded, so that the order of keys is the order of versions. */
export const versionKey = (name: string, version: string): string => `${VERSIONS}${name}/${version.padStart(10, '0')}`;

type Source = { readonly store: Store; readonly code: CodeStore; readonly realm: Realm };

/** The table as the store has it. A version whose code cannot be unpacked is there all the same, as `failed`. */
export async function loadFunctions(from: Source): Promise<FunctionTable> {
  const records = await listAll<FunctionRecord>(from.store, FUNCTIONS);
  const published = await listAll<VersionRecord>(from.store, VERSIONS);
  const entries = await makeEntries(from, records, published);
  const urls = entries.flatMap((entry) => entry.record.urls.map((url) => [url.urlId, { entry, url }] as const));
  return { byName: new Map(entries.map((entry) => [entry.name, entry])), byUrlId: new Map(urls) };
}

/** One function as the store has it; undefined: it is not there. */
export async function loadFunction(from: Source, name: string): Promise<FunctionEntry | undefined> {
  const record = await from.store.get<FunctionRecord>(functionKey(name));
  if (!record) return undefined;
  const published = await listAll<VersionRecord>(from.store, `${VERSIONS}${name}/`);
  return (await makeEntries(from, [record], published))[0];
}

async function makeEntries(
  from: Source,
  records: readonly StoredRecord<FunctionRecord>[],
  published: readonly StoredRecord<VersionRecord>[],
): Promise<FunctionEntry[]> {
  const hashes = new Set([...records.map((r) => r.value.latest), ...published.map((r) => r.value)].map((version) => version.code.sha256));
  const codes = await unpackAll(from.code, [...hashes]);
  const withCode = (record: VersionRecord): FunctionVersion => ({ record, code: codes.get(record.code.sha256)! });
  const byFunction = Map.groupBy(published, ({ key }) => key.slice(VERSIONS.length, key.lastIndexOf('/')));
  return records.map(({ value, revision }) => {
    const versions = (byFunction.get(value.name) ?? []).map((record) => withCode(record.value));
    return makeEntry(functionArn(from.realm, value.name), value, revision, versions, withCode(value.latest).code);
  });
}

async function listAll<T>(store: Store, prefix: string): Promise<StoredRecord<T>[]> {
  const all: StoredRecord<T>[] = [];
  for (;;) {
    const after = all.at(-1)?.key;
    const page = await store.list<T>(prefix, after === undefined ? { limit: PAGE } : { after, limit: PAGE });
    all.push(...page);
    if (page.length === 0) return all;
  }
}

async function unpackAll(code: CodeStore, hashes: readonly string[]): Promise<Map<string, CodeState>> {
  const states = new Map<string, CodeState>();
  const queue = hashes.values();
  const worker = async () => {
    for (const sha256 of queue) states.set(sha256, await unpackState(code, sha256));
  };
  await Promise.all(Array.from({ length: UNPACK_AT_ONCE }, worker));
  return states;
}

async function unpackState(code: CodeStore, sha256: string): Promise<CodeState> {
  try {
    return { kind: 'ready', directory: (await code.unpack(sha256)).directory };
  } catch (error) {
    return { kind: 'failed', reason: asHearthError(error).message };
  }
}
