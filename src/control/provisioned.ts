/** Provisioned concurrency: how much of the account's concurrency a version or an alias has, with instances that are there ahead of calls. */
import { HearthError } from '../kernel/mod.ts';
import { checkUnreserved, provisionedExecutions } from './concurrency.ts';
import type { Functions } from './functions.ts';
import { invalid } from './invalid.ts';
import type { AliasRecord, ProvisionedRecord } from './records.ts';
import type { FunctionEntry } from './table.ts';

const UNPUBLISHED = 'Provisioned Concurrency Configs cannot be applied to unpublished function versions.';

/**
 * Throws `ResourceNotFoundException`, `ResourceConflictException` (the version and an alias of it would both have some),
 * `InvalidParameterValueException`.
 */
export function provision(functions: Functions, name: string, qualifier: string, executions: number): Promise<ProvisionedRecord> {
  return functions.change(name, (entry) => {
    checkQualifier(entry, qualifier);
    checkConflict(entry, qualifier);
    const made: ProvisionedRecord = { qualifier, executions, modifiedMs: functions.clock.now() };
    const others = provisionedOf(entry).filter((each) => each.qualifier !== qualifier);
    const record = { ...entry.record, provisioned: [...others, made] };
    if (entry.record.reservedConcurrency === undefined) checkUnreserved(functions, entry, record);
    else if (provisionedExecutions(record) > entry.record.reservedConcurrency)
      throw invalid('Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function');
    return { record, result: () => made };
  });
}

/** No error when there is none, as on Lambda. */
export function deprovision(functions: Functions, name: string, qualifier: string): Promise<void> {
  return functions.change(name, (entry) => {
    checkQualifier(entry, qualifier);
    return { record: withoutProvisioned(entry.record, qualifier), result: () => undefined };
  });
}

/** Throws `ProvisionedConcurrencyConfigNotFoundException`, and as `provision` does for what has none. */
export function getProvisioned(entry: FunctionEntry, qualifier: string): ProvisionedRecord {
  checkQualifier(entry, qualifier);
  const found = provisionedOf(entry).find((each) => each.qualifier === qualifier);
  if (found) return found;
  throw new HearthError('ProvisionedConcurrencyConfigNotFoundException', 'No Provisioned Concurrency Config found for this function');
}

export const provisionedOf = ({ record }: FunctionEntry): readonly ProvisionedRecord[] => record.provisioned ?? [];

/** A record without what a qualifier had. */
export function withoutProvisioned<T extends { readonly provisioned?: readonly ProvisionedRecord[] }>(record: T, qualifier: string): T {
  if (!record.provisioned) return record;
  return { ...record, provisioned: record.provisioned.filter((each) => each.qualifier !== qualifier) };
}

/** How much of `count` falls to each version that a qualifier means: an alias with weights divides it. */
export function sharesOf(entry: FunctionEntry, qualifier: string, count: number): ReadonlyMap<string, number> {
  const alias = entry.aliases.get(qualifier);
  if (!alias) return new Map(entry.versions.has(qualifier) ? [[qualifier, count]] : []);
  const shares = Object.entries(alias.weights).map(([version, weight]) => [version, Math.round(count * weight)] as const);
  const rest = shares.reduce((left, [, share]) => left - share, count);
  return new Map([[alias.version, rest], ...shares]);
}

/** Whether an alias that has provisioned concurrency may mean these versions. */
export function checkProvisionedAlias(entry: FunctionEntry, alias: AliasRecord): void {
  if (!provisionedOf(entry).some(({ qualifier }) => qualifier === alias.name)) return;
  if (alias.version === '$LATEST') throw invalid(UNPUBLISHED);
  checkVersions(entry, [alias.version, ...Object.keys(alias.weights)]);
}

function checkQualifier(entry: FunctionEntry, qualifier: string): void {
  if (qualifier === '$LATEST') throw invalid(UNPUBLISHED);
  const alias = entry.aliases.get(qualifier);
  if (alias?.version === '$LATEST') throw invalid(UNPUBLISHED);
  if (alias || entry.versions.has(qualifier)) return;
  const isVersion = /^\d+$/.test(qualifier);
  throw new HearthError(
    'ResourceNotFoundException',
    `${isVersion ? 'Function not found: ' : 'Cannot find alias arn: '}${entry.arn}:${qualifier}`,
  );
}

function checkConflict(entry: FunctionEntry, qualifier: string): void {
  const alias = entry.aliases.get(qualifier);
  if (alias) return checkVersions(entry, [alias.version, ...Object.keys(alias.weights)]);
  const pointed = provisionedOf(entry).some((each) => sharesOf(entry, each.qualifier, 1).has(qualifier) && each.qualifier !== qualifier);
  if (pointed) throw new HearthError('ResourceConflictException', 'Version is pointed by a Provisioned Concurrency alias');
}

function checkVersions(entry: FunctionEntry, versions: readonly string[]): void {
  if (!provisionedOf(entry).some(({ qualifier }) => versions.includes(qualifier))) return;
  const message = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version";
  throw new HearthError('ResourceConflictException', message);
}
