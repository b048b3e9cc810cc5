import { createHash } from 'node:crypto';
import { HearthError, LIMITS } from '../kernel/mod.ts';
import { checkUnpackedSize, holdingLayers } from './attached-layers.ts';
import type { Attach } from './attached-layers.ts';
import type { Functions, NextFunction } from './functions.ts';
import { invalid } from './invalid.ts';
import type { Architecture, FunctionRecord, FunctionSettings, VersionRecord } from './records.ts';
import { runState } from './run-state.ts';
import { applySettings } from './settings.ts';
import type { SettingsInput } from './settings.ts';
import { addCode, holdingCode } from './stored-code.ts';
import type { AddedCode, HeldCode } from './stored-code.ts';
import type { CodeState, FunctionEntry, FunctionView } from './table.ts';
import { checkTags } from './tags.ts';
import { checkRevision, publishFrom } from './versions.ts';

export type CreateFunction = {
  readonly name: string;
  readonly settings: SettingsInput;
  /** ARNs of layer versions. */
  readonly layers?: readonly string[];
  readonly zip: Uint8Array;
  readonly tags?: Readonly<Record<string, string>>;
  readonly publish?: boolean;
};

/** Throws `ResourceConflictException`, `InvalidParameterValueException`, `CodeStorageExceededException`, `StoreFailed`. */
export function createFunction(functions: Functions, input: CreateFunction): Promise<FunctionView> {
  // Before anything is unpacked for it.
  applySettings(input.name, undefined, input.settings);
  if (input.name.length > LIMITS.functionNameLength)
    throw invalid(`The function name is longer than ${LIMITS.functionNameLength} characters. Choose a shorter one.`);
  const tags = input.tags ?? {};
  checkTags(tags);
  const create = async (held: HeldCode, attach: Attach): Promise<NextFunction<FunctionView>> => {
    const settings = applySettings(input.name, undefined, { ...input.settings, layers: attach(input.layers ?? []) });
    const { record: code, state, storing } = await addFunctionCode(functions, held, settings);
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
  return holdingLayers(functions, (attach) =>
    holdingCode(functions, input.zip, (held) => functions.add(input.name, () => create(held, attach))),
  );
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
    const settings = applySettings(input.name, before.settings, input.architecture ? { architecture: input.architecture } : {});
    const { record: code, state, storing } = await addFunctionCode(functions, held, settings);
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

export type UpdateConfiguration = {
  readonly name: string;
  readonly settings: SettingsInput;
  /** ARNs of layer versions, in place of those there were. */
  readonly layers?: readonly string[];
  readonly revisionId?: string;
};

/** Throws `InvalidParameterValueException`, `PreconditionFailedException`, `ResourceNotFoundException`, `StoreFailed`. */
export function updateConfiguration(functions: Functions, input: UpdateConfiguration): Promise<FunctionView> {
  const update = async (entry: FunctionEntry, attach: Attach): Promise<NextFunction<FunctionView>> => {
    checkRevision(entry, input.revisionId);
    const before = entry.record.latest;
    const layers = input.layers && attach(input.layers);
    const settings = applySettings(input.name, before.settings, { ...input.settings, ...(layers && { layers }) });
    if (layers && layers.length > 0) await checkUnpackedSize(functions, before.code, layers);
    const latest = { ...before, settings, modifiedMs: functions.clock.now(), ...newIds(functions) };
    return {
      record: { ...entry.record, latest },
      ...(layers && { latestCode: await runState(functions.code, latest) }),
      result: (now) => ({ entry: now!, version: now!.versions.get('$LATEST')! }),
    };
  };
  return holdingLayers(functions, (attach) => functions.change(input.name, (entry) => update(entry, attach)));
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

/** The code of a function that has these settings. */
async function addFunctionCode(
  functions: Functions,
  held: HeldCode,
  settings: Pick<FunctionSettings, 'layers'>,
): Promise<AddedCode & { readonly state: CodeState }> {
  const added = await addCode(functions, held);
  const { layers = [] } = settings;
  if (layers.length === 0) return { ...added, state: { kind: 'ready', directory: added.directory, layers: [] } };
  await checkUnpackedSize(functions, held, layers);
  return { ...added, state: await runState(functions.code, { code: added.record, settings }) };
}

function newIds(functions: Functions): { revisionId: string; deploymentId: string } {
  return { revisionId: functions.random.uuid(), deploymentId: functions.random.uuid() };
}
