import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FunctionEntry, Functions, FunctionVersion } from '../../control/mod.ts';
import type { Deployment, Engine } from '../../engine/mod.ts';
import { asHearthError, HearthError, LIMITS } from '../../kernel/mod.ts';
import type { Log } from '../../kernel/mod.ts';
import { JSON_DEPTH, nestsTooDeep } from '../../protocol/mod.ts';
import { readBody } from './body.ts';
import { errorReply } from './errors.ts';
import { FUNCTION_OPERATIONS } from './function-operations.ts';
import { readInvocation } from './invoke-request.ts';
import { invoke, invokeWithStream } from './invoke.ts';
import { LAYER_OPERATIONS } from './layer-operations.ts';
import { MORE_OPERATIONS } from './more-operations.ts';
import type { ApiContext, Provisioning, Reply } from './operation.ts';
import { createRouter } from './router.ts';
import { SCALING_OPERATIONS } from './scaling-operations.ts';
import { URL_OPERATIONS } from './url-operations.ts';
import { VERSION_OPERATIONS } from './version-operations.ts';

export type LambdaApiOptions = {
  readonly functions: Functions;
  readonly engine: Engine;
  /** A version as the data plane runs it; the same value for the same version, made once. Throws `ResourceNotReadyException`. */
  readonly deploymentOf: (entry: FunctionEntry, version: FunctionVersion) => Deployment;
  /** The address of a function URL, e.g. `http://ID.lambda-url.us-east-1.localhost:4566/`. */
  readonly functionUrl: (urlId: string) => string;
  /** The instances that a version has ahead of calls; undefined: none yet. */
  readonly provisioningOf: (entry: FunctionEntry, version: FunctionVersion) => Provisioning | undefined;
  readonly log: Log;
};

const INVOKE = { prefix: '/2015-03-31/functions/', suffix: '/invocations' };
const INVOKE_STREAM = { prefix: '/2021-11-15/functions/', suffix: '/response-streaming-invocations' };
const OPERATIONS = [
  ...FUNCTION_OPERATIONS,
  ...URL_OPERATIONS,
  ...VERSION_OPERATIONS,
  ...LAYER_OPERATIONS,
  ...SCALING_OPERATIONS,
  ...MORE_OPERATIONS,
];

/** The first segments of every path that belongs to the Lambda API: versions of the service model. */
export const LAMBDA_PATH = /^\/20(?:14|15|16|17|18|19|20|21|25)-\d\d-\d\d\//;

/** Whether a request runs a function, rather than to change or to read something about one. */
export function isInvocation(method: string | undefined, url: string | undefined): boolean {
  const path = (url ?? '').split('?')[0]!;
  return method === 'POST' && (between(path, INVOKE) ?? between(path, INVOKE_STREAM)) !== undefined;
}

/** The Lambda API as a listener for node:http. Answers every request, failures too. */
export function createLambdaApi(options: LambdaApiOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { functions, engine, deploymentOf, log } = options;
  const route = createRouter(OPERATIONS);
  const snapshotOf: ApiContext['snapshotOf'] = (entry, version) =>
    version.code.kind === 'ready' && version.record.settings.lockedEnvironment === undefined
      ? engine.snapshot(deploymentOf(entry, version).id)
      : undefined;
  const context: ApiContext = { functions, functionUrl: options.functionUrl, snapshotOf, provisioningOf: options.provisioningOf, log };

  const runInvoke = async (request: IncomingMessage, response: ServerResponse, name: string, query: string, stream: boolean) => {
    const requestId = functions.random.uuid();
    response.setHeader('x-amzn-RequestId', requestId);
    const operation = stream ? 'InvokeWithResponseStream' : 'InvokeFunction';
    const call = await readInvocation(functions, request, { name, query, requestId, operation });
    const deployment = deploymentOf(call.entry, call.version);
    if (call.dryRun) return void response.writeHead(204).end();
    if (stream) invokeWithStream(engine, deployment, call, response);
    else invoke(engine, deployment, call, response);
  };

  const runOperation = async (request: IncomingMessage, response: ServerResponse, path: string, query: string) => {
    response.setHeader('x-amzn-RequestId', functions.random.uuid());
    const found = route(request.method ?? 'GET', path);
    const body = await readBody(request, LIMITS.apiBodyBytes, found?.operation.name ?? 'unknown');
    if (!found) throw new HearthError('NotFound', `The Lambda API of this Hearth has no operation ${request.method} ${path}.`);
    const { operation, params } = found;
    const host = request.headers.host ?? 'localhost';
    const reply = await operation.run({ params, query: new URLSearchParams(query), body: parseBody(body), host }, context);
    send(response, reply);
  };

  const fail = (request: IncomingMessage, response: ServerResponse, thrown: unknown) => {
    const error = asHearthError(thrown);
    if (error.status >= 500)
      log.error({ code: error.code, method: request.method, url: request.url, err: error }, 'Lambda API request failed');
    if (response.headersSent) return void response.destroy();
    const reply = errorReply(error);
    // A body that was not read to its end leaves the connection unusable.
    const unread = request.complete ? {} : { connection: 'close' };
    response.writeHead(reply.status, { ...reply.headers, ...unread, 'content-length': Buffer.byteLength(reply.body) }).end(reply.body);
  };

  return (request, response) => {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const query = mark < 0 ? '' : url.slice(mark + 1);
    const post = request.method === 'POST';
    const invoked = post ? between(path, INVOKE) : undefined;
    const streamed = post && invoked === undefined ? between(path, INVOKE_STREAM) : undefined;
    const name = invoked ?? streamed;
    const done =
      name === undefined ? runOperation(request, response, path, query) : runInvoke(request, response, name, query, streamed !== undefined);
    done.catch((error: unknown) => fail(request, response, error));
  };
}

/** The one segment between a prefix and a suffix of a path. */
function between(path: string, { prefix, suffix }: { readonly prefix: string; readonly suffix: string }): string | undefined {
  if (!path.startsWith(prefix) || !path.endsWith(suffix)) return undefined;
  const segment = path.slice(prefix.length, -suffix.length);
  return segment === '' || segment.includes('/') ? undefined : segment;
}

function parseBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  if (nestsTooDeep(body)) {
    const reason = `Document nesting depth exceeds the maximum allowed (${JSON_DEPTH})`;
    throw new HearthError('InvalidRequestContentException', `Could not parse request body into json: ${reason}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HearthError('InvalidRequestContentException', `Could not parse request body into json: ${reason}`, { cause });
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
    throw new HearthError('SerializationException', 'The request body must be a JSON object.');
  return parsed;
}

function send(response: ServerResponse, reply: Reply): void {
  if ('json' in reply) {
    const body = Buffer.from(JSON.stringify(reply.json));
    response.writeHead(reply.status, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  } else if ('bytes' in reply) {
    response.writeHead(reply.status, { 'content-type': reply.contentType, 'content-length': reply.bytes.length }).end(reply.bytes);
  } else {
    response.writeHead(204).end();
  }
}
