import { z } from 'zod';
import {
  addLayerPermission,
  deleteLayerVersion,
  getLayerPolicy,
  getLayerVersion,
  layerVersionsMatching,
  parseLayerReference,
  parseLayerVersionArn,
  publishLayer,
  removeLayerPermission,
} from '../../control/mod.ts';
import type { LayerFilter, LayerPolicyTarget, LayerTarget, LayerView, PolicyStatement } from '../../control/mod.ts';
import { HearthError } from '../../kernel/mod.ts';
import { defined, packageLocation } from './function-operations.ts';
import { principalOf } from './more-operations.ts';
import type { ApiContext, ApiRequest, Operation, Reply } from './operation.ts';
import { Architecture, LayerListLimit, LayerName, LayerRuntime, LayerVersionArn, StatementId } from './patterns.ts';
import { numberOf, page } from './reading.ts';
import { LayerPermissionBody, PublishLayerBody } from './schemas.ts';
import { zipOf } from './unsupported.ts';
import { check } from './validation.ts';
import { base64Hash, layerVersionItem } from './views.ts';

const LAYERS = '/2018-10-31/layers';
const VERSIONS = `${LAYERS}/{LayerName}/versions`;
const VERSION = `${VERSIONS}/{VersionNumber}`;
const POLICY = `${VERSION}/policy`;

export const LAYER_OPERATIONS: readonly Operation[] = [
  { name: 'PublishLayerVersion', method: 'POST', path: VERSIONS, run: publish },
  { name: 'ListLayerVersions', method: 'GET', path: VERSIONS, run: listVersions },
  { name: 'GetLayerVersion', method: 'GET', path: VERSION, run: get },
  { name: 'DeleteLayerVersion', method: 'DELETE', path: VERSION, run: remove },
  // GetLayerVersionByArn has the same path, and says which of the two it is in the query.
  { name: 'ListLayers', method: 'GET', path: LAYERS, run: listOrFind },
  { name: 'AddLayerVersionPermission', method: 'POST', path: POLICY, run: permit },
  { name: 'GetLayerVersionPolicy', method: 'GET', path: POLICY, run: policy },
  { name: 'RemoveLayerVersionPermission', method: 'DELETE', path: `${POLICY}/{StatementId}`, run: forbid },
];

async function publish(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const name = layerName(request, context);
  const body = check(PublishLayerBody, request.body);
  const view = await publishLayer(context.functions, {
    name,
    zip: zipOf(body.Content, 'the layer'),
    ...defined({
      description: body.Description,
      runtimes: body.CompatibleRuntimes,
      architectures: body.CompatibleArchitectures,
      license: body.LicenseInfo,
    }),
  });
  return { status: 201, json: layerVersionOf(request, view) };
}

function get(request: ApiRequest, context: ApiContext): Reply {
  return { status: 200, json: layerVersionOf(request, getLayerVersion(context.functions, target(request, context))) };
}

function listOrFind(request: ApiRequest, context: ApiContext): Reply {
  return request.query.get('find') === 'LayerVersion' ? getByArn(request, context) : list(request, context);
}

function getByArn(request: ApiRequest, { functions }: ApiContext): Reply {
  const { Arn } = check(z.object({ Arn: LayerVersionArn }), { Arn: request.query.get('Arn') });
  return { status: 200, json: layerVersionOf(request, getLayerVersion(functions, parseLayerVersionArn(Arn, functions.realm))) };
}

function list({ query }: ApiRequest, { functions }: ApiContext): Reply {
  const filter = filterOf(query);
  const found = [...functions.layers.table.values()].flatMap((entry) => {
    const newest = layerVersionsMatching(entry, filter)[0];
    return newest ? [{ entry, newest }] : [];
  });
  const sorted = found.toSorted((a, b) => (a.entry.name < b.entry.name ? -1 : 1));
  const { items, next } = page(query, sorted, ({ entry }) => entry.name, LayerListLimit);
  const Layers = items.map(({ entry, newest }) => ({
    LayerName: entry.name,
    LayerArn: entry.arn,
    LatestMatchingVersion: layerVersionItem(newest),
  }));
  return { status: 200, json: { Layers, ...next } };
}

function listVersions(request: ApiRequest, context: ApiContext): Reply {
  const name = layerName(request, context);
  const found = layerVersionsMatching(context.functions.layers.table.get(name), filterOf(request.query));
  // Pages are of ascending ids, and the newest version comes first.
  const { items, next } = page(
    request.query,
    found,
    ({ record }) => String(LAST_VERSION - record.version).padStart(10, '0'),
    LayerListLimit,
  );
  return { status: 200, json: { LayerVersions: items.map(layerVersionItem), ...next } };
}

const LAST_VERSION = 9_999_999_999;

async function remove(request: ApiRequest, context: ApiContext): Promise<Reply> {
  await deleteLayerVersion(context.functions, target(request, context));
  return { status: 204 };
}

async function permit(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const of = policyTarget(request, context);
  const { StatementId: Sid, Action, Principal, OrganizationId } = check(LayerPermissionBody, request.body);
  if (OrganizationId !== undefined && Principal !== '*')
    throw new HearthError(
      'InvalidParameterValueException',
      'A permission for an organization has the Principal *. Set it, or leave OrganizationId out.',
    );
  const statement: Omit<PolicyStatement, 'Resource'> = {
    Sid,
    Effect: 'Allow',
    Principal: principalOf(Principal),
    Action,
    ...(OrganizationId !== undefined && { Condition: { StringEquals: { 'aws:PrincipalOrgID': OrganizationId } } }),
  };
  const added = await addLayerPermission(context.functions, of, statement);
  return { status: 201, json: { Statement: JSON.stringify(added.statement), RevisionId: added.revisionId } };
}

function policy(request: ApiRequest, context: ApiContext): Reply {
  const { text, revisionId } = getLayerPolicy(context.functions, target(request, context));
  return { status: 200, json: { Policy: text, RevisionId: revisionId } };
}

async function forbid(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { StatementId: sid } = check(z.object({ StatementId }), { StatementId: request.params['StatementId'] });
  await removeLayerPermission(context.functions, policyTarget(request, context), sid);
  return { status: 204 };
}

function layerName({ params }: ApiRequest, { functions }: ApiContext): string {
  return parseLayerReference(check(z.object({ LayerName }), { LayerName: params['LayerName'] }).LayerName, functions.realm);
}

function target(request: ApiRequest, context: ApiContext): LayerTarget {
  return { name: layerName(request, context), version: numberOf(request.params['VersionNumber']!) };
}

function policyTarget(request: ApiRequest, context: ApiContext): LayerPolicyTarget {
  const revisionId = request.query.get('RevisionId');
  return { ...target(request, context), ...(revisionId !== null && { revisionId }) };
}

function filterOf(query: URLSearchParams): LayerFilter {
  const schema = z.object({ CompatibleRuntime: LayerRuntime.optional(), CompatibleArchitecture: Architecture.optional() });
  const given = { CompatibleRuntime: query.get('CompatibleRuntime'), CompatibleArchitecture: query.get('CompatibleArchitecture') };
  const { CompatibleRuntime: runtime, CompatibleArchitecture: architecture } = check(schema, given);
  return defined({ runtime, architecture });
}

function layerVersionOf(request: ApiRequest, { entry, version }: LayerView): object {
  const { code } = version.record;
  return {
    Content: { Location: packageLocation(request, code), CodeSha256: base64Hash(code.sha256), CodeSize: code.bytes },
    LayerArn: entry.arn,
    ...layerVersionItem(version),
  };
}
