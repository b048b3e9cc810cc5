import { HearthError } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { layerArn } from './layer-arn.ts';
import { checkNumber } from './layer-versions.ts';
import type { LayerTarget } from './layer-versions.ts';
import type { LayerEntry, LayerVersion, NextLayer } from './layers.ts';
import { policyText, withStatement, withoutStatement } from './policies.ts';
import type { PolicyView } from './policies.ts';
import type { PolicyStatement } from './records.ts';

export type LayerPolicyTarget = LayerTarget & { readonly revisionId?: string };
export type AddedStatement = { readonly statement: PolicyStatement; readonly revisionId: string };

/** Stored and shown: there is nobody here but this account. Throws as `addPermission` does. */
export function addLayerPermission(
  functions: Functions,
  target: LayerPolicyTarget,
  { Sid, Effect, Principal, Action, ...rest }: Omit<PolicyStatement, 'Resource'>,
): Promise<AddedStatement> {
  return functions.layers.change(target.name, (entry) => {
    const version = versionOf(functions, entry, target);
    const statement: PolicyStatement = { Sid, Effect, Principal, Action, Resource: version.arn, ...rest };
    const statements = withStatement(version.record.policy?.statements ?? [], statement);
    return withPolicy(functions, version, statements, (revisionId) => ({ statement, revisionId }));
  });
}

export function removeLayerPermission(functions: Functions, target: LayerPolicyTarget, sid: string): Promise<void> {
  return functions.layers.change(target.name, (entry) => {
    const version = versionOf(functions, entry, target);
    return withPolicy(functions, version, withoutStatement(version.record.policy?.statements ?? [], sid), () => undefined);
  });
}

/** Throws `ResourceNotFoundException`. */
export function getLayerPolicy(functions: Functions, target: LayerTarget): PolicyView {
  const { policy } = versionOf(functions, functions.layers.table.get(target.name), target).record;
  if (!policy) throw new HearthError('ResourceNotFoundException', 'No policy is associated with the given resource.');
  return { text: policyText(policy.statements), revisionId: policy.revisionId };
}

function versionOf(functions: Functions, entry: LayerEntry | undefined, { name, version, revisionId }: LayerPolicyTarget): LayerVersion {
  checkNumber(version);
  const found = entry?.versions.get(version);
  if (!found)
    throw new HearthError('ResourceNotFoundException', `Layer version ${layerArn(functions.realm, name)}:${version} does not exist.`);
  if (revisionId !== undefined && revisionId !== found.record.policy?.revisionId)
    throw new HearthError(
      'PreconditionFailedException',
      'The Revision Id provided does not match the latest Revision Id. Call the GetLayerVersionPolicy API to retrieve the latest Revision Id',
    );
  return found;
}

function withPolicy<R>(
  { random }: Functions,
  { record }: LayerVersion,
  statements: readonly PolicyStatement[],
  result: (revisionId: string) => R,
): NextLayer<R> {
  const revisionId = random.uuid();
  const { policy: _, ...rest } = record;
  return { put: { ...rest, ...(statements.length > 0 && { policy: { statements, revisionId } }) }, result: () => result(revisionId) };
}
