import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import type { PolicyStatement } from './records.ts';
import { resolveVersion } from './table.ts';
import type { FunctionEntry } from './table.ts';

/** A resource policy and the revision that guards changes of it: that of the version or alias it belongs to. */
export type PolicyView = { readonly text: string; readonly revisionId: string };

export type PolicyTarget = { readonly name: string; readonly qualifier?: string; readonly revisionId?: string };

/** Stored and shown. Who may call is decided at the door. Throws `ResourceConflictException`, `PolicyLengthExceededException`, ... */
export function addPermission(
  functions: Functions,
  target: PolicyTarget,
  statement: Omit<PolicyStatement, 'Resource'>,
): Promise<PolicyStatement> {
  return functions.change(target.name, (entry) => {
    const qualifier = checkTarget(entry, target);
    const Resource = qualifier === '$LATEST' && target.qualifier === undefined ? entry.arn : `${entry.arn}:${qualifier}`;
    const { Sid, Effect, Principal, Action, ...rest } = statement;
    const added: PolicyStatement = { Sid, Effect, Principal, Action, Resource, ...rest };
    const statements = withStatement(statementsOf(entry, qualifier), added);
    return { record: withStatements(functions, entry, qualifier, statements), result: () => added };
  });
}

export function removePermission(functions: Functions, target: PolicyTarget, sid: string): Promise<void> {
  return functions.change(target.name, (entry) => {
    const qualifier = checkTarget(entry, target);
    const statements = withoutStatement(statementsOf(entry, qualifier), sid);
    return { record: withStatements(functions, entry, qualifier, statements), result: () => undefined };
  });
}

export function getPolicy(functions: Functions, target: PolicyTarget): PolicyView {
  const entry = functions.get(target.name);
  const qualifier = checkTarget(entry, target);
  const statements = statementsOf(entry, qualifier);
  if (statements.length === 0) throw new HearthError('ResourceNotFoundException', 'The resource you requested does not exist.');
  return { text: policyText(statements), revisionId: revisionOf(entry, qualifier) };
}

function checkTarget(entry: FunctionEntry, { qualifier, revisionId }: PolicyTarget): string {
  resolveVersion(entry, qualifier, () => 1);
  const effective = qualifier ?? '$LATEST';
  if (revisionId !== undefined && revisionId !== revisionOf(entry, effective))
    throw new HearthError(
      'PreconditionFailedException',
      'The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id',
    );
  return effective;
}

function revisionOf(entry: FunctionEntry, qualifier: string): string {
  return entry.aliases.get(qualifier)?.revisionId ?? entry.versions.get(qualifier)!.record.revisionId;
}

function statementsOf(entry: FunctionEntry, qualifier: string): readonly PolicyStatement[] {
  return entry.record.policies.find((policy) => policy.qualifier === qualifier)?.statements ?? [];
}

/** Published versions are records that never change: their policies don't move their revision. */
function withStatements(
  functions: Functions,
  entry: FunctionEntry,
  qualifier: string,
  statements: readonly PolicyStatement[],
): FunctionEntry['record'] {
  const others = entry.record.policies.filter((policy) => policy.qualifier !== qualifier);
  const policies = statements.length > 0 ? [...others, { qualifier, statements }] : others;
  const revisionId = functions.random.uuid();
  const latest = qualifier === '$LATEST' ? { ...entry.record.latest, revisionId } : entry.record.latest;
  const aliases = entry.record.aliases.map((alias) => (alias.name === qualifier ? { ...alias, revisionId } : alias));
  return { ...entry.record, policies, latest, aliases };
}

/** Throws `ResourceConflictException`, `PolicyLengthExceededException`. */
export function withStatement(before: readonly PolicyStatement[], added: PolicyStatement): readonly PolicyStatement[] {
  if (before.some((s) => s.Sid === added.Sid))
    throw new HearthError(
      'ResourceConflictException',
      `The statement id (${added.Sid}) provided already exists. Please provide a new statement id, or remove the existing statement.`,
    );
  const statements = [...before, added];
  if (Buffer.byteLength(policyText(statements)) > LIMITS.policyBytes)
    throw new HearthError('PolicyLengthExceededException', `The final policy size is bigger than the limit (${LIMITS.policyBytes}).`);
  return statements;
}

/** Throws `ResourceNotFoundException`. */
export function withoutStatement(before: readonly PolicyStatement[], sid: string): readonly PolicyStatement[] {
  const statements = before.filter((s) => s.Sid !== sid);
  if (statements.length === before.length)
    throw new HearthError('ResourceNotFoundException', `Statement ${sid} is not found in resource policy.`);
  return statements;
}

export function policyText(statements: readonly PolicyStatement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: statements });
}
