/** Tags, reservations, policies and what deployment tools ask about the account. */
import { z } from 'zod';
import {
  addPermission,
  getPolicy,
  parseFunctionReference,
  releaseConcurrency,
  removePermission,
  reserveConcurrency,
  storedBytes,
  tagFunction,
  unreservedConcurrency,
  untagFunction,
} from '../../control/mod.ts';
import type { FunctionEntry, PolicyStatement, PolicyTarget } from '../../control/mod.ts';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import type { ApiContext, ApiRequest, Operation, Reply } from './operation.ts';
import { NamespacedFunctionName, NamespacedStatementId, TaggableResource } from './patterns.ts';
import { target, wholeFunction } from './reading.ts';
import { ConcurrencyBody, PermissionBody, TagsBody } from './schemas.ts';
import { check } from './validation.ts';

const TAGS = '/2017-03-31/tags/{Resource}';
const POLICY = '/2015-03-31/functions/{FunctionName}/policy';

export const MORE_OPERATIONS: readonly Operation[] = [
  {
    name: 'ListTags',
    method: 'GET',
    path: TAGS,
    run: (request, context) => ({ status: 200, json: { Tags: tagged(request, context).record.tags } }),
  },
  { name: 'TagResource', method: 'POST', path: TAGS, run: tag },
  { name: 'UntagResource', method: 'DELETE', path: TAGS, run: untag },
  { name: 'PutFunctionConcurrency', method: 'PUT', path: '/2017-10-31/functions/{FunctionName}/concurrency', run: reserve },
  { name: 'DeleteFunctionConcurrency', method: 'DELETE', path: '/2017-10-31/functions/{FunctionName}/concurrency', run: release },
  { name: 'GetFunctionConcurrency', method: 'GET', path: '/2019-09-30/functions/{FunctionName}/concurrency', run: reservation },
  { name: 'AddPermission', method: 'POST', path: POLICY, run: permit },
  { name: 'GetPolicy', method: 'GET', path: POLICY, run: policy },
  { name: 'RemovePermission', method: 'DELETE', path: `${POLICY}/{StatementId}`, run: forbid },
  { name: 'GetAccountSettings', method: 'GET', path: '/2016-08-19/account-settings', run: account },
  {
    name: 'GetFunctionCodeSigningConfig',
    method: 'GET',
    path: '/2020-06-30/functions/{FunctionName}/code-signing-config',
    run: codeSigning,
  },
];

function tagged({ params }: ApiRequest, { functions }: ApiContext): FunctionEntry {
  const { Resource } = check(z.object({ Resource: TaggableResource }), { Resource: params['Resource'] });
  if (!Resource.includes(':function:')) throw new HearthError('ResourceNotFoundException', `This Hearth has no such resource: ${Resource}`);
  const { name, qualifier } = parseFunctionReference(Resource, functions.realm);
  if (qualifier !== undefined)
    throw new HearthError(
      'InvalidParameterValueException',
      'Tags on function aliases and versions are not supported. Please specify a function ARN.',
    );
  return functions.get(name);
}

async function tag(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { name } = tagged(request, context);
  await tagFunction(context.functions, name, check(TagsBody, request.body).Tags);
  return { status: 204 };
}

async function untag(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { name } = tagged(request, context);
  const keys = request.query.getAll('tagKeys');
  check(z.object({ TagKeys: z.array(z.string()) }), { TagKeys: keys.length > 0 ? keys : undefined });
  await untagFunction(context.functions, name, keys);
  return { status: 204 };
}

async function reserve(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const name = wholeFunction(request, context);
  const body = check(ConcurrencyBody, request.body);
  await reserveConcurrency(context.functions, name, body.ReservedConcurrentExecutions);
  return { status: 200, json: body };
}

async function release(request: ApiRequest, context: ApiContext): Promise<Reply> {
  await releaseConcurrency(context.functions, wholeFunction(request, context));
  return { status: 204 };
}

function reservation(request: ApiRequest, context: ApiContext): Reply {
  const { reservedConcurrency } = context.functions.get(wholeFunction(request, context)).record;
  return { status: 200, json: reservedConcurrency === undefined ? {} : { ReservedConcurrentExecutions: reservedConcurrency } };
}

async function permit(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const of = policyTarget(request, context);
  const body = check(PermissionBody, request.body);
  const statement = await addPermission(
    context.functions,
    { ...of, ...(body.RevisionId && { revisionId: body.RevisionId }) },
    statementOf(body),
  );
  return { status: 201, json: { Statement: JSON.stringify(statement) } };
}

function policy(request: ApiRequest, context: ApiContext): Reply {
  const { text, revisionId } = getPolicy(context.functions, policyTarget(request, context));
  return { status: 200, json: { Policy: text, RevisionId: revisionId } };
}

async function forbid(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { StatementId } = check(z.object({ StatementId: NamespacedStatementId }), { StatementId: request.params['StatementId'] });
  const revisionId = request.query.get('RevisionId');
  await removePermission(context.functions, { ...policyTarget(request, context), ...(revisionId !== null && { revisionId }) }, StatementId);
  return { status: 204 };
}

function policyTarget(request: ApiRequest, context: ApiContext): PolicyTarget {
  return target(request, context, NamespacedFunctionName);
}

/** The IAM statement that a permission stands for, in the form and order in which Lambda shows it. */
function statementOf(body: PermissionBody): Omit<PolicyStatement, 'Resource'> {
  const equals: Record<string, string> = {};
  if (body.FunctionUrlAuthType) equals['lambda:FunctionUrlAuthType'] = body.FunctionUrlAuthType;
  if (body.EventSourceToken) equals['lambda:EventSourceToken'] = body.EventSourceToken;
  if (body.PrincipalOrgID) equals['aws:PrincipalOrgID'] = body.PrincipalOrgID;
  if (body.SourceAccount) equals['AWS:SourceAccount'] = body.SourceAccount;
  const condition = {
    ...(Object.keys(equals).length > 0 && { StringEquals: equals }),
    ...(body.SourceArn && { ArnLike: { 'AWS:SourceArn': body.SourceArn } }),
    ...(body.InvokedViaFunctionUrl !== undefined && { Bool: { 'lambda:InvokedViaFunctionUrl': String(body.InvokedViaFunctionUrl) } }),
  };
  return {
    Sid: body.StatementId,
    Effect: 'Allow',
    Principal: principalOf(body.Principal),
    Action: body.Action,
    ...(Object.keys(condition).length > 0 && { Condition: condition }),
  };
}

export function principalOf(principal: string): PolicyStatement['Principal'] {
  if (principal === '*') return '*';
  if (/^\d{12}$/.test(principal)) return { AWS: `arn:aws:iam::${principal}:root` };
  return principal.startsWith('arn:') ? { AWS: principal } : { Service: principal };
}

function account(_: ApiRequest, { functions }: ApiContext): Reply {
  return {
    status: 200,
    json: {
      AccountLimit: {
        TotalCodeSize: LIMITS.codeStorageBytes,
        CodeSizeUnzipped: LIMITS.unzippedBytes,
        CodeSizeZipped: LIMITS.zipBytes,
        ConcurrentExecutions: functions.concurrency,
        UnreservedConcurrentExecutions: unreservedConcurrency(functions),
      },
      AccountUsage: { TotalCodeSize: storedBytes(functions), FunctionCount: functions.table.byName.size },
    },
  };
}

/** There is none: packages are not signed here. */
function codeSigning(request: ApiRequest, context: ApiContext): Reply {
  const { name } = context.functions.get(target(request, context, NamespacedFunctionName).name);
  return { status: 200, json: { FunctionName: name } };
}
