/**
 * Environments at rest: in memory they are plain, in the store they are sealed, all variables of a version as one text that is bound to
 * the function and the version. Nothing but this file knows both forms.
 */
import type { Seal } from '../protocol/mod.ts';
import type { Store, StoredRecord, Write } from '../ports/mod.ts';
import { FUNCTIONS, VERSIONS, functionOfVersion, listAll } from './record-keys.ts';
import type { FunctionRecord, FunctionSettings, VersionRecord } from './records.ts';

export type StoredFunction = Omit<FunctionRecord, 'latest'> & { readonly latest: StoredVersion };
export type StoredVersion = Omit<VersionRecord, 'settings'> & { readonly settings: StoredSettings };
type StoredSettings = Omit<FunctionSettings, 'lockedEnvironment'> & {
  /** Of records that an earlier Hearth wrote: the values as they are. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly sealedEnvironment?: string;
};

export const sealFunction = (seal: Seal, record: FunctionRecord): StoredFunction => ({
  ...record,
  latest: sealVersion(seal, record.name, record.latest),
});

export const openFunction = (seal: Seal, stored: StoredFunction): FunctionRecord => ({
  ...stored,
  latest: openVersion(seal, stored.name, stored.latest),
});

export function sealVersion(seal: Seal, name: string, record: VersionRecord): StoredVersion {
  const { environment, lockedEnvironment, ...settings } = record.settings;
  const sealedEnvironment = environment ? seal.seal(JSON.stringify(environment), aboutOf(name, record)) : lockedEnvironment;
  return { ...record, settings: { ...settings, ...(sealedEnvironment !== undefined && { sealedEnvironment }) } };
}

/** What does not open stays as it is, as `lockedEnvironment`. */
export function openVersion(seal: Seal, name: string, stored: StoredVersion): VersionRecord {
  const { sealedEnvironment, ...settings } = stored.settings;
  if (sealedEnvironment === undefined) return { ...stored, settings };
  const opened = seal.open(sealedEnvironment, aboutOf(name, stored));
  if (opened === undefined) return { ...stored, settings: { ...settings, lockedEnvironment: sealedEnvironment } };
  return { ...stored, settings: { ...settings, environment: JSON.parse(opened) as Record<string, string> } };
}

/** What has to be written so that every environment is sealed, and with the key that seals now. */
export async function resealFunctions(store: Store, seal: Seal): Promise<Write[]> {
  const functions = (await listAll<StoredFunction>(store, FUNCTIONS)).filter(({ value }) => isDue(seal, value.latest));
  const versions = (await listAll<StoredVersion>(store, VERSIONS)).filter(({ value }) => isDue(seal, value));
  return [
    ...functions.map((stored) => rewritten(stored, sealFunction(seal, openFunction(seal, stored.value)))),
    ...versions.map((stored) => {
      const name = functionOfVersion(stored.key);
      return rewritten(stored, sealVersion(seal, name, openVersion(seal, name, stored.value)));
    }),
  ];
}

function isDue(seal: Seal, { settings }: StoredVersion): boolean {
  if (settings.environment !== undefined) return true;
  return settings.sealedEnvironment !== undefined && !seal.isCurrent(settings.sealedEnvironment);
}

const rewritten = ({ key, revision }: StoredRecord<unknown>, value: unknown): Write => ({ kind: 'put', key, value, expect: revision });

/** Names of functions have no slash: what one pair is about is never what another is. */
const aboutOf = (name: string, { version }: { readonly version: string }): string => `environment/${name}/${version}`;
