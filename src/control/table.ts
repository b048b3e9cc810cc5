import { HearthError } from '../kernel/mod.ts';
import type { StoredImage } from './image-store.ts';
import type { AliasRecord, FunctionRecord, UrlRecord, VersionRecord } from './records.ts';

/** All functions at one moment: an immutable value, replaced as a whole by every change, so that readers need no lock and no store. */
export type FunctionTable = {
  readonly byName: ReadonlyMap<string, FunctionEntry>;
  readonly byUrlId: ReadonlyMap<string, UrlEntry>;
};

export type FunctionEntry = {
  readonly name: string;
  /** Without a qualifier. */
  readonly arn: string;
  readonly record: FunctionRecord;
  /** Of the record in the store. */
  readonly revision: number;
  /** `$LATEST` first, then the published ones in the order of their numbers. */
  readonly versions: ReadonlyMap<string, FunctionVersion>;
  readonly aliases: ReadonlyMap<string, AliasRecord>;
};

export type FunctionVersion = { readonly record: VersionRecord; readonly code: CodeState };

/** A function and the version of it that an operation is about. */
export type FunctionView = { readonly entry: FunctionEntry; readonly version: FunctionVersion };

/** Whether a version's code is there to be run. */
export type CodeState =
  /** `layers`: the directories of its layers, in their order. `image`: the directory is its root. */
  | { readonly kind: 'ready'; readonly directory: string; readonly layers: readonly string[]; readonly image?: StoredImage }
  /** The stored package, or that of a layer, could not be unpacked when the platform started. */
  | { readonly kind: 'failed'; readonly reason: string };

export type UrlEntry = { readonly entry: FunctionEntry; readonly url: UrlRecord };

export const EMPTY_TABLE: FunctionTable = { byName: new Map(), byUrlId: new Map() };

/** The table with `name` replaced by `entry`, or without it. */
export function withEntry(table: FunctionTable, name: string, entry: FunctionEntry | undefined): FunctionTable {
  const byName = new Map(table.byName);
  const byUrlId = new Map(table.byUrlId);
  for (const url of table.byName.get(name)?.record.urls ?? []) byUrlId.delete(url.urlId);
  if (entry) {
    byName.set(name, entry);
    for (const url of entry.record.urls) byUrlId.set(url.urlId, { entry, url });
  } else {
    byName.delete(name);
  }
  return { byName, byUrlId };
}

export function makeEntry(
  arn: string,
  record: FunctionRecord,
  revision: number,
  published: Iterable<FunctionVersion>,
  latestCode: CodeState,
): FunctionEntry {
  const versions = new Map<string, FunctionVersion>([['$LATEST', { record: record.latest, code: latestCode }]]);
  for (const version of published) versions.set(version.record.version, version);
  const aliases = new Map(record.aliases.map((alias) => [alias.name, alias]));
  return { name: record.name, arn, record, revision, versions, aliases };
}

/**
 * The version that a qualifier means now. An alias with weights answers by `fraction`, a number from 0 up to 1 that the caller drew.
 * Throws `ResourceNotFoundException`.
 */
export function resolveVersion(entry: FunctionEntry, qualifier: string | undefined, fraction: () => number): FunctionVersion {
  const alias = qualifier === undefined ? undefined : entry.aliases.get(qualifier);
  const number = alias ? routedVersion(alias, fraction) : (qualifier ?? '$LATEST');
  const version = entry.versions.get(number);
  if (!version) throw new HearthError('ResourceNotFoundException', `Function not found: ${entry.arn}:${qualifier ?? number}`);
  return version;
}

function routedVersion(alias: AliasRecord, fraction: () => number): string {
  for (const [version, weight] of Object.entries(alias.weights)) if (fraction() < weight) return version;
  return alias.version;
}
