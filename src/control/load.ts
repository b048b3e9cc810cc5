import type { Store, StoredRecord } from '../ports/mod.ts';
import type { Seal } from '../protocol/mod.ts';
import { functionArn } from './arn.ts';
import type { Realm } from './arn.ts';
import type { CodeStore } from './code-store.ts';
import type { ImageKeeper } from './image-keeper.ts';
import { FUNCTIONS, VERSIONS, functionKey, functionOfVersion, listAll } from './record-keys.ts';
import type { VersionRecord } from './records.ts';
import { packagesOf, stateFrom, tryImage, tryUnpack } from './run-state.ts';
import type { Unpacked } from './run-state.ts';
import { openFunction, openVersion } from './sealed-records.ts';
import type { StoredFunction, StoredVersion } from './sealed-records.ts';
import { makeEntry } from './table.ts';
import type { FunctionEntry, FunctionTable, FunctionVersion } from './table.ts';

/** Packages looked at a time: enough to hide the disk's latency, few enough to leave room for other work. */
const UNPACK_AT_ONCE = 16;

type Source = { readonly store: Store; readonly code: CodeStore; readonly realm: Realm; readonly seal: Seal; readonly images: ImageKeeper };

/** The table as the store has it, opened. A version whose code cannot be unpacked is there all the same, as `failed`. */
export async function loadFunctions(from: Source): Promise<FunctionTable> {
  const records = await listAll<StoredFunction>(from.store, FUNCTIONS);
  const published = await listAll<StoredVersion>(from.store, VERSIONS);
  const entries = await makeEntries(from, records, published);
  const urls = entries.flatMap((entry) => entry.record.urls.map((url) => [url.urlId, { entry, url }] as const));
  return { byName: new Map(entries.map((entry) => [entry.name, entry])), byUrlId: new Map(urls) };
}

/** One function as the store has it; undefined: it is not there. */
export async function loadFunction(from: Source, name: string): Promise<FunctionEntry | undefined> {
  const record = await from.store.get<StoredFunction>(functionKey(name));
  if (!record) return undefined;
  const published = await listAll<StoredVersion>(from.store, `${VERSIONS}${name}/`);
  return (await makeEntries(from, [record], published))[0];
}

async function makeEntries(
  from: Source,
  records: readonly StoredRecord<StoredFunction>[],
  published: readonly StoredRecord<StoredVersion>[],
): Promise<FunctionEntry[]> {
  const versions = [...records.map((r) => r.value.latest), ...published.map((r) => r.value)];
  const unpacked = await unpackAll(from.code, [...new Set(versions.flatMap(packagesOf))]);
  for (const { sha256, image } of versions.map(({ code }) => code))
    if (image && !unpacked.has(sha256)) unpacked.set(sha256, await tryImage(from.images, image.digest));
  const withCode = (record: VersionRecord): FunctionVersion => ({ record, code: stateFrom(unpacked, record) });
  const byFunction = Map.groupBy(published, ({ key }) => functionOfVersion(key));
  return records.map(({ value: stored, revision }) => {
    const record = openFunction(from.seal, stored);
    const versions = (byFunction.get(record.name) ?? []).map(({ value }) => withCode(openVersion(from.seal, record.name, value)));
    return makeEntry(functionArn(from.realm, record.name), record, revision, versions, withCode(record.latest).code);
  });
}

async function unpackAll(code: CodeStore, hashes: readonly string[]): Promise<Map<string, Unpacked>> {
  const unpacked = new Map<string, Unpacked>();
  const queue = hashes.values();
  const worker = async () => {
    for (const sha256 of queue) unpacked.set(sha256, await tryUnpack(code, sha256));
  };
  await Promise.all(Array.from({ length: UNPACK_AT_ONCE }, worker));
  return unpacked;
}
