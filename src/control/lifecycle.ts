import { HearthError, LIMITS } from '../kernel/mod.ts';
import { parseWeb } from '../protocol/mod.ts';
import { checkUnpackedSize, holdingLayers } from './attached-layers.ts';
import type { Attach } from './attached-layers.ts';
import { addSource, architectureOf, holdingSource, previewSource } from './function-code.ts';
import type { CodeSource, HeldSource } from './function-code.ts';
import type { Functions, NextFunction } from './functions.ts';
import { checkInstanceConcurrency } from './instance-concurrency.ts';
import { withoutInstances } from './instances.ts';
import { invalid } from './invalid.ts';
import { withoutProvisioned } from './provisioned.ts';
import type { Architecture, FunctionRecord, FunctionSettings, VersionRecord } from './records.ts';
import { runState } from './run-state.ts';
import { applySettings } from './settings.ts';
import type { SettingsInput } from './settings.ts';
import type { CodeState, FunctionEntry, FunctionView } from './table.ts';
import { checkTags } from './tags.ts';
import { checkRevision, publishFrom } from './versions.ts';

export type CreateFunction = CodeSource & {
  readonly name: string;
  readonly settings: SettingsInput;
  /** ARNs of layer versions. */
  readonly layers?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly publish?: boolean;
};

/** Throws `ResourceConflictException`, `InvalidParameterValueException`, `CodeStorageExceededException`, `StoreFailed`. */
export function createFunction(functions: Functions, input: CreateFunction): Promise<FunctionView> {
  // Before anything is unpacked for it.
  const image = 'imageUri' in input ? { image: input.settings.image ?? {} } : {};
  const given = applySettings(input.name, undefined, { ...input.settings, ...image });
  if (input.name.length > LIMITS.functionNameLength)
    throw invalid(`The function name is longer than ${LIMITS.functionNameLength} characters. Choose a shorter one.`);
  const tags = input.tags ?? {};
  checkTags(tags);
  checkInstanceConcurrency(given, tags);
  const create = async (held: HeldSource, attach: Attach): Promise<NextFunction<FunctionView>> => {
    const architecture = architectureOf(held, input.settings.architecture);
    const layers = attach(input.layers ?? []);
    const settings = applySettings(input.name, undefined, { ...input.settings, ...image, ...(architecture && { architecture }), layers });
    const { record: code, state, storing } = await addSource(functions, held, settings);
    checkTogether(settings, state);
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
    holdingSource(functions, input, (held) => functions.add(input.name, () => create(held, attach))),
  );
}

export type UpdateCode = CodeSource & {
  readonly name: string;
  readonly architecture?: Architecture;
  readonly publish?: boolean;
  /** Check and answer, but change nothing. */
  readonly dryRun?: boolean;
  readonly revisionId?: string;
};

/** Throws as `createFunction` does, and `PreconditionFailedException`, `ResourceNotFoundException`. */
export async function updateCode(functions: Functions, input: UpdateCode): Promise<FunctionView> {
  if (input.dryRun) return previewCode(functions, input);
  const update = async (entry: FunctionEntry, held: HeldSource): Promise<NextFunction<FunctionView>> => {
    checkRevision(entry, input.revisionId);
    const before = entry.record.latest;
    checkKind(entry, input);
    const architecture = architectureOf(held, input.architecture);
    const settings = applySettings(input.name, before.settings, architecture ? { architecture } : {});
    const { record: code, state, storing } = await addSource(functions, held, settings);
    checkTogether(settings, state);
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
  checkKind(functions.get(input.name), input);
  return holdingSource(functions, input, (held) => functions.change(input.name, (entry) => update(entry, held)));
}

async function previewCode(functions: Functions, input: UpdateCode): Promise<FunctionView> {
  const entry = functions.get(input.name);
  checkRevision(entry, input.revisionId);
  checkKind(entry, input);
  const latest = entry.versions.get('$LATEST')!;
  return { entry, version: { ...latest, record: { ...latest.record, code: await previewSource(functions, input) } } };
}

/** What the image says and what the function says make sense together. */
function checkTogether({ environment }: FunctionSettings, code: CodeState): void {
  if (code.kind === 'ready' && code.image) parseWeb({ ...code.image.environment, ...environment });
}

/** What a function was made of it stays made of. */
function checkKind({ record }: FunctionEntry, code: CodeSource): void {
  if (record.latest.settings.image && 'zip' in code)
    throw invalid('Please provide ImageUri when updating a function with packageType Image.');
  if (!record.latest.settings.image && 'imageUri' in code)
    throw invalid("Please don't provide ImageUri when updating a function with packageType Zip.");
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
    checkInstanceConcurrency(settings, entry.record.tags);
    if (layers && layers.length > 0) await checkUnpackedSize(functions, before.code, layers);
    checkTogether(settings, entry.versions.get('$LATEST')!.code);
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
    const record = withoutInstances(withoutProvisioned({ ...entry.record, policies }, qualifier), qualifier);
    return { record, removeVersions: [qualifier], result: () => undefined };
  });
}

function newIds(functions: Functions): { revisionId: string; deploymentId: string } {
  return { revisionId: functions.random.uuid(), deploymentId: functions.random.uuid() };
}
