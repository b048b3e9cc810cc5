import { HearthError } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { invalid } from './invalid.ts';
import { checkProvisionedAlias, withoutProvisioned } from './provisioned.ts';
import type { AliasRecord } from './records.ts';
import type { FunctionEntry } from './table.ts';

export type AliasInput = {
  readonly version?: string;
  readonly description?: string;
  readonly weights?: Readonly<Record<string, number>>;
};

/** Throws `ResourceNotFoundException`, `ResourceConflictException`, `InvalidParameterValueException`. */
export function createAlias(
  functions: Functions,
  name: string,
  alias: string,
  input: AliasInput & { readonly version: string },
): Promise<AliasRecord> {
  return functions.change(name, (entry) => {
    if (entry.aliases.has(alias)) throw new HearthError('ResourceConflictException', `Alias already exists: ${entry.arn}:${alias}`);
    const record: AliasRecord = {
      name: alias,
      version: input.version,
      description: input.description ?? '',
      weights: input.weights ?? {},
      revisionId: functions.random.uuid(),
    };
    checkAlias(entry, record);
    return { record: { ...entry.record, aliases: [...entry.record.aliases, record] }, result: () => record };
  });
}

/** What is left out stays as it is; weights are replaced as a whole. Also throws `PreconditionFailedException`. */
export function updateAlias(
  functions: Functions,
  name: string,
  alias: string,
  input: AliasInput & { readonly revisionId?: string },
): Promise<AliasRecord> {
  return functions.change(name, (entry) => {
    const before = getAlias(entry, alias);
    if (input.revisionId !== undefined && input.revisionId !== before.revisionId)
      throw new HearthError(
        'PreconditionFailedException',
        'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
      );
    const record: AliasRecord = {
      ...before,
      version: input.version ?? before.version,
      description: input.description ?? before.description,
      weights: input.weights ?? before.weights,
      revisionId: functions.random.uuid(),
    };
    checkAlias(entry, record);
    checkProvisionedAlias(entry, record);
    const aliases = entry.record.aliases.map((a) => (a.name === alias ? record : a));
    return { record: { ...entry.record, aliases }, result: () => record };
  });
}

/** Deletes the alias with its URL, its policy and its provisioned concurrency. No error when there is none, as on Lambda. */
export function deleteAlias(functions: Functions, name: string, alias: string): Promise<void> {
  return functions.change(name, (entry) => {
    const aliases = entry.record.aliases.filter((a) => a.name !== alias);
    const urls = entry.record.urls.filter((url) => url.qualifier !== alias);
    const policies = entry.record.policies.filter((policy) => policy.qualifier !== alias);
    const record = withoutProvisioned({ ...entry.record, aliases, urls, policies }, alias);
    return { record, result: () => undefined };
  });
}

export function getAlias(entry: FunctionEntry, alias: string): AliasRecord {
  const record = entry.aliases.get(alias);
  if (!record) throw new HearthError('ResourceNotFoundException', `Cannot find alias arn: ${entry.arn}:${alias}`);
  return record;
}

function checkAlias(entry: FunctionEntry, alias: AliasRecord): void {
  const weights = Object.entries(alias.weights);
  for (const version of [alias.version, ...weights.map(([v]) => v)])
    if (!entry.versions.has(version)) throw new HearthError('ResourceNotFoundException', `Function not found: ${entry.arn}:${version}`);
  if (weights.length === 0) return;
  if (weights.length > 1) throw invalid('Number of items in AdditionalVersionWeights cannot be greater than 1');
  if (alias.version === '$LATEST') throw invalid('$LATEST is not supported for an alias pointing to more than 1 version');
  const [version, weight] = weights[0]!;
  if (version === alias.version)
    throw invalid(`Invalid function version ${version}. Function version ${version} is already included in routing configuration.`);
  if (weight < 0 || weight > 1) throw invalid(`The weight ${weight} of version ${version} is not between 0.0 and 1.0.`);
}
