import { createHash } from 'node:crypto';
import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { Functions, NextFunction } from './functions.ts';
import { invalid } from './invalid.ts';
import type { Architecture, CodeRecord, FunctionRecord, VersionRecord } from './records.ts';
import { applySettings } from './settings.ts';
import type { SettingsInput } from './settings.ts';
import type { CodeState, FunctionEntry, FunctionView } from './table.ts';
import { checkTags } from './tags.ts';
import { checkRevision, publishFrom } from './versions.ts';

export type CreateFunction = {
  readonly name: string;
  readonly settings: SettingsInput;
  readonly zip: Uint8Array;
  readonly tags?: Readonly<Record<string, string>>;
  readonly publish?: boolean;
};

/** Throws `ResourceConflictException`, `InvalidParameterValueException`, `CodeStorageExceededException`, `StoreFailed`. */
export function createFunction(functions: Functions, input: CreateFunction): Promise<FunctionView> {
  const settings = applySettings(input.name, undefined, input.settings);
  if (input.name.length > LIMITS.functionNameLength)
    throw invalid(`The function name is longer than ${LIMITS.functionNameLength} characters. Choose a shorter one.`);
  const tags = input.tags ?? {};
  checkTags(tags);
  const create = async (held: HeldCode): Promise<NextFunction<FunctionView>> => {
    const { record: code, state, storing } = await addCode(functions, held);
    const latest: VersionRecord = { version: '$LATEST', settings, code, modifiedMs: functions.clock.now(), ...newIds(functions) };
    const record: FunctionRecord = { schema: 1, name: input.name, latest, published: 0, aliases: [], urls: [], policies: [], tags };
    const published = input.publish ? publishFrom(functions, record, state) : undefined;
    return {
      record: published?.record ?? record,
      latestCode: state,
      addVersions: published ? [published.version] : [],
      storing,
      result: (entry) => ({ entry: entry!, version: published?.version ?? entry!.versions.get('$LATEST')! }),
    };
  };
  return holdingCode(functions, input.zip, (held) => functions.add(input.name, () => create(held)));
}

export type UpdateCode = {
  readonly name: string;
  readonly zip: Uint8Array;
  readonly architecture?: Architecture;
  readonly publish?: boolean;
  /** Check and answer, but change nothing. */
  readonly dryRun?: boolean;
  readonly revisionId?: string;
};

/** Throws as `createFunction` does, and `PreconditionFailedException`, `ResourceNotFoundException`. */
export async function updateCode(functions: Functions, input: UpdateCode): Promise<FunctionView> {
  if (input.dryRun) return previewCode(functions, input);
  const update = async (entry: FunctionEntry, held: HeldCode): Promise<NextFunction<FunctionView>> => {
    checkRevision(entry, input.revisionId);
    const before = entry.record.latest;
    const { record: code, state, storing } = await addCode(functions, held);
    const settings = applySettings(input.name, before.settings, input.architecture ? { architecture: input.architecture } : {});
    const latest: VersionRecord = { ...before, settings, code, modifiedMs: functions.clock.now(), ...newIds(functions) };
    const record: FunctionRecord = { ...entry.record, latest };
    const published = input.publish ? publishFrom(functions, record, state) : undefined;
    return {
      record: published?.record ?? record,
      latestCode: state,
      addVersions: published ? [published.version] : [],
      storing,
      result: (now) => ({ entry: now!, version: published?.version ?? now!.versions.get('$LATEST')! }),
    };
  };
  return holdingCode(functions, input.zip, (held) => functions.change(input.name, (entry) => update(entry, held)));
}

function previewCode(functions: Functions, input: UpdateCode): FunctionView {
  const entry = functions.get(input.name);
  checkRevision(entry, input.revisionId);
  const latest = entry.versions.get('$LATEST')!;
  const sha256 = createHash('sha256').update(input.zip).digest('hex');
  return { entry, version: { ...latest, record: { ...latest.record, code: { sha256, bytes: input.zip.length } } } };
}

export type UpdateConfiguration = { readonly name: string; readonly settings: SettingsInput; readonly revisionId?: string };

/** Throws `InvalidParameterValueException`, `PreconditionFailedException`, `ResourceNotFoundException`, `StoreFailed`. */
export function updateConfiguration(functions: Functions, input: UpdateConfiguration): Promise<FunctionView> {
  return functions.change(input.name, (entry) => {
    checkRevision(entry, input.revisionId);
    const settings = applySettings(input.name, entry.record.latest.settings, input.settings);
    const latest = { ...entry.record.latest, settings, modifiedMs: functions.clock.now(), ...newIds(functions) };
    return { record: { ...entry.record, latest }, result: (now) => ({ entry: now!, version: now!.versions.get('$LATEST')! }) };
  });
}

/** Deletes the function with all that belongs to it, or one published version. */
export function deleteFunction(functions: Functions, name: string, qualifier?: string): Promise<void> {
  return functions.change(name, (entry) => {
    if (qualifier === undefined) return { record: undefined, result: () => undefined };
    if (qualifier === '$LATEST') throw invalid('$LATEST version cannot be deleted without deleting the function.');
    if (entry.aliases.has(qualifier))
      throw invalid('A Qualifier of DeleteFunction must be a version. To delete an alias, use DeleteAlias.');
    if (!entry.versions.has(qualifier)) throw new HearthError('ResourceNotFoundException', `Function not found: ${entry.arn}:${qualifier}`);
    const users = entry.record.aliases.filter((a) => a.version === qualifier || Object.hasOwn(a.weights, qualifier)).map((a) => a.name);
    if (users.length > 0)
      throw new HearthError(
        'ResourceConflictException',
        `Version ${qualifier} is used by the aliases ${users.join(', ')}. Change or delete them first.`,
      );
    const policies = entry.record.policies.filter((policy) => policy.qualifier !== qualifier);
    return { record: { ...entry.record, policies }, removeVersions: [qualifier], result: () => undefined };
  });
}

/** From before the package is stored until a version refers to it, nobody may remove it; without such a version it goes again. */
async function holdingCode<R>(functions: Functions, zip: Uint8Array, run: (held: HeldCode) => Promise<R>): Promise<R> {
  const digest = await crypto.subtle.digest('SHA-256', zip as Uint8Array<ArrayBuffer>);
  const held: HeldCode = { zip, sha256: Buffer.from(digest).toString('hex'), storing: undefined };
  const release = functions.holdCode(held.sha256);
  try {
    return await run(held);
  } finally {
    // Whatever else has failed: what is still being stored can be removed only then.
    await Promise.allSettled([held.storing]);
    await release();
  }
}

type HeldCode = { readonly zip: Uint8Array; readonly sha256: string; storing: Promise<unknown> | undefined };
type AddedCode = { readonly record: CodeRecord; readonly state: CodeState; readonly storing: Promise<unknown> };

/** Unpacks a package, which `holdingCode` holds, and stores it meanwhile. */
async function addCode(functions: Functions, held: HeldCode): Promise<AddedCode> {
  const { zip, sha256 } = held;
  if (zip.length > LIMITS.zipBytes) throw invalid(`The deployment package is larger than ${LIMITS.zipBytes} bytes. Make it smaller.`);
  if (storedBytes(functions) + zip.length > LIMITS.codeStorageBytes)
    throw new HearthError('CodeStorageExceededException', 'Code storage limit exceeded. Delete functions or versions that are not needed.');
  const storing = functions.blobs.put(zip);
  held.storing = storing;
  // Heard where it is awaited; unpacking may fail before.
  storing.catch(() => undefined);
  const { directory } = await functions.code.unpack(sha256, zip);
  return { record: { sha256, bytes: zip.length }, state: { kind: 'ready', directory }, storing };
}

/** What all versions of all functions take, as Lambda counts it. */
export function storedBytes(functions: Functions): number {
  let total = 0;
  for (const entry of functions.table.byName.values()) for (const version of entry.versions.values()) total += version.record.code.bytes;
  return total;
}

function newIds(functions: Functions): { revisionId: string; deploymentId: string } {
  return { revisionId: functions.random.uuid(), deploymentId: functions.random.uuid() };
}
