import { createAlias, deleteAlias, getAlias, publishVersion, updateAlias } from '../../control/mod.ts';
import { z } from 'zod';
import { defined, published } from './function-operations.ts';
import type { ApiContext, ApiRequest, Operation, Reply } from './operation.ts';
import { Alias, NamespacedFunctionName, Version } from './patterns.ts';
import { page, target, wholeFunction } from './reading.ts';
import { CreateAliasBody, PublishVersionBody, UpdateAliasBody } from './schemas.ts';
import { refusePublishTo } from './unsupported.ts';
import { check } from './validation.ts';
import { aliasView, configurationOf } from './views.ts';

const VERSIONS = '/2015-03-31/functions/{FunctionName}/versions';
const ALIASES = '/2015-03-31/functions/{FunctionName}/aliases';
const ALIAS = `${ALIASES}/{Name}`;

export const VERSION_OPERATIONS: readonly Operation[] = [
  { name: 'PublishVersion', method: 'POST', path: VERSIONS, run: publish },
  { name: 'ListVersionsByFunction', method: 'GET', path: VERSIONS, run: listVersions },
  { name: 'CreateAlias', method: 'POST', path: ALIASES, run: create },
  { name: 'ListAliases', method: 'GET', path: ALIASES, run: listAliases },
  { name: 'GetAlias', method: 'GET', path: ALIAS, run: get },
  { name: 'UpdateAlias', method: 'PUT', path: ALIAS, run: update },
  { name: 'DeleteAlias', method: 'DELETE', path: ALIAS, run: remove },
];

async function publish(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const name = wholeFunction(request, context);
  const body = check(PublishVersionBody, request.body);
  refusePublishTo(body.PublishTo);
  const input = defined({ description: body.Description, codeSha256: body.CodeSha256, revisionId: body.RevisionId });
  return { status: 201, json: published(await publishVersion(context.functions, { name, ...input })) };
}

function listVersions(request: ApiRequest, context: ApiContext): Reply {
  const { name } = target(request, context, NamespacedFunctionName);
  const entry = context.functions.get(name);
  const { items, next } = page(request.query, [...entry.versions.values()], ({ record }) => record.version.padStart(10, '0'));
  const Versions = items.map((version) => configurationOf(entry, version, { listed: true, qualifier: version.record.version }));
  return { status: 200, json: { Versions, ...next } };
}

async function create(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const name = wholeFunction(request, context);
  const body = check(CreateAliasBody, request.body);
  const alias = await createAlias(context.functions, name, body.Name, {
    version: body.FunctionVersion,
    ...defined({ description: body.Description, weights: body.RoutingConfig?.AdditionalVersionWeights }),
  });
  return { status: 201, json: aliasView(context.functions.get(name), alias) };
}

function listAliases(request: ApiRequest, context: ApiContext): Reply {
  const entry = context.functions.get(wholeFunction(request, context));
  const { FunctionVersion: version } = check(z.object({ FunctionVersion: Version.optional() }), {
    FunctionVersion: request.query.get('FunctionVersion'),
  });
  const wanted = entry.record.aliases.filter((alias) => version === undefined || alias.version === version);
  const sorted = wanted.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const { items, next } = page(request.query, sorted, (alias) => alias.name);
  return { status: 200, json: { Aliases: items.map((alias) => aliasView(entry, alias)), ...next } };
}

function get(request: ApiRequest, context: ApiContext): Reply {
  const entry = context.functions.get(wholeFunction(request, context));
  return { status: 200, json: aliasView(entry, getAlias(entry, aliasName(request))) };
}

async function update(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const name = wholeFunction(request, context);
  const body = check(UpdateAliasBody, request.body);
  const input = defined({
    version: body.FunctionVersion,
    description: body.Description,
    // A RoutingConfig without weights takes them away.
    weights: body.RoutingConfig && (body.RoutingConfig.AdditionalVersionWeights ?? {}),
    revisionId: body.RevisionId,
  });
  const alias = await updateAlias(context.functions, name, aliasName(request), input);
  return { status: 200, json: aliasView(context.functions.get(name), alias) };
}

async function remove(request: ApiRequest, context: ApiContext): Promise<Reply> {
  await deleteAlias(context.functions, wholeFunction(request, context), aliasName(request));
  return { status: 204 };
}

function aliasName({ params }: ApiRequest): string {
  return check(z.object({ Name: Alias }), { Name: params['Name'] }).Name;
}
