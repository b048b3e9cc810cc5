/** Provisioned concurrency, and how many instances a version has at least and at most. */
import { z } from 'zod';
import {
  deprovision,
  getInstances,
  getProvisioned,
  instanceConcurrency,
  provision,
  provisionedOf,
  setInstances,
  sharesOf,
} from '../../control/mod.ts';
import type { FunctionEntry, FunctionReference, Instances, ProvisionedRecord } from '../../control/mod.ts';
import { HearthError } from '../../kernel/mod.ts';
import { defined } from './function-operations.ts';
import type { ApiContext, ApiRequest, Operation, Provisioning, Reply } from './operation.ts';
import { FunctionName, ProvisionedListLimit, ScalingQualifier, UnqualifiedFunctionName } from './patterns.ts';
import { page, target, wholeFunction } from './reading.ts';
import { ProvisionedBody, ScalingBody } from './schemas.ts';
import { check } from './validation.ts';
import { lambdaTime } from './views.ts';

const PROVISIONED = '/2019-09-30/functions/{FunctionName}/provisioned-concurrency';
const SCALING = '/2025-11-30/functions/{FunctionName}/function-scaling-config';

export const SCALING_OPERATIONS: readonly Operation[] = [
  { name: 'PutProvisionedConcurrencyConfig', method: 'PUT', path: PROVISIONED, run: put },
  { name: 'GetProvisionedConcurrencyConfig', method: 'GET', path: PROVISIONED, run: getOrList },
  { name: 'DeleteProvisionedConcurrencyConfig', method: 'DELETE', path: PROVISIONED, run: remove },
  { name: 'PutFunctionScalingConfig', method: 'PUT', path: SCALING, run: putScaling },
  { name: 'GetFunctionScalingConfig', method: 'GET', path: SCALING, run: getScaling },
];

async function put(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { name, qualifier } = qualified(request, context);
  const { ProvisionedConcurrentExecutions: executions } = check(ProvisionedBody, request.body);
  const record = await provision(context.functions, name, qualifier, executions);
  return { status: 202, json: provisionedView(context.functions.get(name), record, context) };
}

/** The service tells the two apart by the query `List=ALL`. */
function getOrList(request: ApiRequest, context: ApiContext): Reply {
  if (request.query.get('List') === 'ALL') return list(request, context);
  const { name, qualifier } = qualified(request, context);
  const entry = context.functions.get(name, qualifier);
  return { status: 200, json: provisionedView(entry, getProvisioned(entry, qualifier), context) };
}

function list(request: ApiRequest, context: ApiContext): Reply {
  const entry = context.functions.get(wholeFunction(request, context));
  const sorted = provisionedOf(entry).toSorted((a, b) => (a.qualifier < b.qualifier ? -1 : 1));
  const { items, next } = page(request.query, sorted, ({ qualifier }) => qualifier, ProvisionedListLimit);
  const ProvisionedConcurrencyConfigs = items.map((record) => ({
    FunctionArn: `${entry.arn}:${record.qualifier}`,
    ...provisionedView(entry, record, context),
  }));
  return { status: 200, json: { ProvisionedConcurrencyConfigs, ...next } };
}

async function remove(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { name, qualifier } = qualified(request, context);
  await deprovision(context.functions, name, qualifier);
  return { status: 204 };
}

function qualified(request: ApiRequest, context: ApiContext): Required<FunctionReference> {
  const { name, qualifier } = target(request, context, FunctionName);
  if (qualifier !== undefined) return { name, qualifier };
  throw new HearthError(
    'ValidationException',
    "1 validation error detected: Value null at 'qualifier' failed to satisfy constraint: Member must not be null",
  );
}

function provisionedView(entry: FunctionEntry, record: ProvisionedRecord, context: ApiContext): object {
  const states = versionStates(entry, record, context);
  const sum = (key: 'allocated' | 'available') => states.reduce((total, each) => total + each[key], 0);
  const failure = states.find((each) => each.failure?.givenUp)?.failure ?? states.find((each) => each.failure)?.failure;
  const isThere = sum('available') >= record.executions;
  return {
    RequestedProvisionedConcurrentExecutions: record.executions,
    AvailableProvisionedConcurrentExecutions: sum('available'),
    AllocatedProvisionedConcurrentExecutions: sum('allocated'),
    Status: isThere ? 'READY' : failure?.givenUp ? 'FAILED' : 'IN_PROGRESS',
    ...(!isThere && failure && { StatusReason: failure.reason }),
    LastModified: lambdaTime(record.modifiedMs),
  };
}

/** Of each version that the qualifier means. Where several qualifiers share a version's instances, those that came first have theirs first. */
function versionStates(entry: FunctionEntry, { qualifier, executions }: ProvisionedRecord, { provisioningOf }: ApiContext): Provisioning[] {
  const all = provisionedOf(entry);
  const before = all.slice(
    0,
    all.findIndex((each) => each.qualifier === qualifier),
  );
  return [...sharesOf(entry, qualifier, executions)].map(([number, share]) => {
    const version = entry.versions.get(number)!;
    if (version.code.kind === 'failed') return { allocated: 0, available: 0, failure: { reason: version.code.reason, givenUp: true } };
    const state = provisioningOf(entry, version);
    if (!state) return { allocated: 0, available: 0 };
    const taken = before.reduce((sum, each) => sum + (sharesOf(entry, each.qualifier, each.executions).get(number) ?? 0), 0);
    const each = instanceConcurrency(entry.record, version.record.settings);
    const part = (instances: number) => Math.min(share, Math.max(0, instances * each - taken));
    return {
      allocated: part(state.allocated),
      available: part(state.available),
      ...(state.failure && { failure: state.failure }),
    };
  });
}

/** A published version, as the service has it, and also `$LATEST`, which runs here like any other. */
function scaledVersion(request: ApiRequest, context: ApiContext): Required<FunctionReference> {
  const { name } = target(request, context, UnqualifiedFunctionName);
  const { Qualifier } = check(z.object({ Qualifier: ScalingQualifier }), { Qualifier: request.query.get('Qualifier') });
  return { name, qualifier: Qualifier };
}

async function putScaling(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { name, qualifier } = scaledVersion(request, context);
  const { FunctionScalingConfig: config = {} } = check(ScalingBody, request.body);
  const instances = defined({ min: config.MinExecutionEnvironments, max: config.MaxExecutionEnvironments });
  await setInstances(context.functions, name, qualifier, instances);
  return { status: 202, json: { FunctionState: 'Active' } };
}

function getScaling(request: ApiRequest, context: ApiContext): Reply {
  const { name, qualifier } = scaledVersion(request, context);
  const entry = context.functions.get(name, qualifier);
  const config = scalingConfig(getInstances(entry, qualifier));
  // What was answered is in force.
  const json = { FunctionArn: `${entry.arn}:${qualifier}`, AppliedFunctionScalingConfig: config, RequestedFunctionScalingConfig: config };
  return { status: 200, json };
}

const scalingConfig = ({ min, max }: Instances): object => ({ MinExecutionEnvironments: min, MaxExecutionEnvironments: max });
