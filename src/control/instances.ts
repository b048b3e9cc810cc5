/** How many instances a version has at least and at most: what Lambda calls its scaling configuration. */
import { HearthError } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { invalid } from './invalid.ts';
import type { FunctionRecord, InstancesRecord } from './records.ts';
import type { FunctionEntry } from './table.ts';

/** Whichever version was published last. */
export const LATEST_PUBLISHED = '$LATEST.PUBLISHED';

export type Instances = Omit<InstancesRecord, 'qualifier'>;

/** What is left out has no bound; neither of them: takes both back. Throws `ResourceNotFoundException`, `InvalidParameterValueException`. */
export function setInstances(functions: Functions, name: string, qualifier: string, { min, max }: Instances): Promise<void> {
  return functions.change(name, (entry) => {
    checkVersion(entry, qualifier);
    if (min !== undefined && max !== undefined && min > max)
      throw invalid(`MinExecutionEnvironments is ${min}, which is more than MaxExecutionEnvironments: ${max}.`);
    if (min !== undefined && min > functions.concurrency)
      throw invalid(`MinExecutionEnvironments is ${min}, which is more than the account's ConcurrentExecutions: ${functions.concurrency}.`);
    const others = withoutInstances(entry.record, qualifier);
    if (min === undefined && max === undefined) return { record: others, result: () => undefined };
    const made: InstancesRecord = { qualifier, ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
    return { record: { ...others, instances: [...(others.instances ?? []), made] }, result: () => undefined };
  });
}

/** What was set for this very qualifier. Throws `ResourceNotFoundException`. */
export function getInstances(entry: FunctionEntry, qualifier: string): Instances {
  checkVersion(entry, qualifier);
  return ownInstances(entry, qualifier) ?? {};
}

/** What holds for a version: its own, or what was set for whichever was published last, if that is the one. */
export function instancesOf(entry: FunctionEntry, version: string): Instances {
  const own = ownInstances(entry, version);
  return own ?? (version === newestVersion(entry) ? ownInstances(entry, LATEST_PUBLISHED) : undefined) ?? {};
}

const ownInstances = ({ record }: FunctionEntry, qualifier: string): Instances | undefined =>
  record.instances?.find((each) => each.qualifier === qualifier);

/** `$LATEST` is first in the map, and what was published last is last; undefined: nothing was published. */
function newestVersion(entry: FunctionEntry): string | undefined {
  const newest = [...entry.versions.keys()].at(-1);
  return newest === '$LATEST' ? undefined : newest;
}

function checkVersion(entry: FunctionEntry, qualifier: string): void {
  const exists = qualifier === LATEST_PUBLISHED ? newestVersion(entry) !== undefined : entry.versions.has(qualifier);
  if (!exists) throw new HearthError('ResourceNotFoundException', `Function not found: ${entry.arn}:${qualifier}`);
}

/** A record without what a qualifier had. */
export function withoutInstances(record: FunctionRecord, qualifier: string): FunctionRecord {
  if (!record.instances) return record;
  return { ...record, instances: record.instances.filter((each) => each.qualifier !== qualifier) };
}
