import { createUrl, deleteUrl, getUrl, updateUrl } from '../../control/mod.ts';
import type { Cors, UrlTarget } from '../../control/mod.ts';
import { defined } from './function-operations.ts';
import type { ApiContext, ApiRequest, Operation, Reply } from './operation.ts';
import { FunctionName, UrlListLimit, UrlQualifier } from './patterns.ts';
import { page, target, wholeFunction } from './reading.ts';
import { CreateUrlBody, UpdateUrlBody } from './schemas.ts';
import type { CorsBody } from './schemas.ts';
import { check } from './validation.ts';
import { urlConfigOf } from './views.ts';

const URL_PATH = '/2021-10-31/functions/{FunctionName}/url';

export const URL_OPERATIONS: readonly Operation[] = [
  { name: 'CreateFunctionUrlConfig', method: 'POST', path: URL_PATH, run: create },
  { name: 'GetFunctionUrlConfig', method: 'GET', path: URL_PATH, run: get },
  { name: 'UpdateFunctionUrlConfig', method: 'PUT', path: URL_PATH, run: update },
  { name: 'DeleteFunctionUrlConfig', method: 'DELETE', path: URL_PATH, run: remove },
  { name: 'ListFunctionUrlConfigs', method: 'GET', path: '/2021-10-31/functions/{FunctionName}/urls', run: list },
];

async function create(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const of = urlTarget(request, context);
  const body = check(CreateUrlBody, request.body);
  const url = await createUrl(context.functions, of, {
    authType: body.AuthType,
    ...(body.InvokeMode && { invokeMode: body.InvokeMode }),
    ...(body.Cors && { cors: corsOf(body.Cors) }),
  });
  return { status: 201, json: urlConfigOf(url, context.functionUrl) };
}

function get(request: ApiRequest, context: ApiContext): Reply {
  return { status: 200, json: urlConfigOf(getUrl(context.functions, urlTarget(request, context)), context.functionUrl) };
}

async function update(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const of = urlTarget(request, context);
  const body = check(UpdateUrlBody, request.body);
  const url = await updateUrl(context.functions, of, {
    ...(body.AuthType && { authType: body.AuthType }),
    ...(body.InvokeMode && { invokeMode: body.InvokeMode }),
    ...(body.Cors && { cors: corsOf(body.Cors) }),
  });
  return { status: 200, json: urlConfigOf(url, context.functionUrl) };
}

async function remove(request: ApiRequest, context: ApiContext): Promise<Reply> {
  await deleteUrl(context.functions, urlTarget(request, context));
  return { status: 204 };
}

function list(request: ApiRequest, context: ApiContext): Reply {
  const entry = context.functions.get(wholeFunction(request, context));
  const urls = entry.record.urls.toSorted((a, b) => (a.qualifier < b.qualifier ? -1 : 1));
  const { items, next } = page(request.query, urls, (url) => url.qualifier, UrlListLimit);
  return { status: 200, json: { FunctionUrlConfigs: items.map((url) => urlConfigOf({ entry, url }, context.functionUrl)), ...next } };
}

/** `$LATEST`, where a name or ARN carries it, is the function itself. */
function urlTarget(request: ApiRequest, context: ApiContext): UrlTarget {
  const { name, qualifier } = target(request, context, FunctionName, UrlQualifier);
  return qualifier === undefined || qualifier === '$LATEST' ? { name } : { name, qualifier };
}

function corsOf(cors: CorsBody): Cors {
  return defined({
    allowCredentials: cors.AllowCredentials,
    allowHeaders: cors.AllowHeaders,
    allowMethods: cors.AllowMethods,
    allowOrigins: cors.AllowOrigins,
    exposeHeaders: cors.ExposeHeaders,
    maxAgeSeconds: cors.MaxAge,
  });
}
