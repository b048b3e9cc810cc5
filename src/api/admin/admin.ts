/**
 * Hearth's own HTTP API, below `/_hearth/`: is it alive, what is it, what has it done, the functions' logs and starts, and access keys. Everything
 * answers with JSON; a log answers with one JSON object a line. Documented in docs/cli.md, whose `hearth` is its first client.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HearthError, asHearthError } from '../../kernel/mod.ts';
import type { Clock } from '../../kernel/mod.ts';
import type { DeploymentStats, HostLoad } from '../../engine/mod.ts';
import type { FunctionLogs } from '../../ports/mod.ts';
import type { WarmingReport, WarmReport } from '../../protocol/mod.ts';
import type { AccessKey, AccessKeys } from '../door/mod.ts';
import { imageOf, offsetIn } from './images.ts';
import type { ImageAdmin } from './images.ts';
import { sendLogs } from './logs.ts';
import { numberIn, parseJson } from './reading.ts';
import { sendError, sendJson } from './respond.ts';
import { sendStart, sendStarts } from './starts.ts';
import { createTraceExport } from './trace-export.ts';
import type { SendTrace } from './trace-export.ts';

export const ADMIN_PREFIX = '/_hearth/';

export type AdminOptions = {
  readonly info: AdminInfo;
  /** False while starting up and while draining. */
  readonly ready: () => boolean;
  readonly stats: () => readonly DeploymentStats[];
  readonly load: () => HostLoad;
  readonly functionNames: () => Iterable<string>;
  readonly functionExists: (name: string) => boolean;
  /** What is kept of a function now, and why. It exists. */
  readonly warmth: (name: string) => WarmReport;
  readonly warming: () => WarmingReport;
  readonly logs: FunctionLogs;
  readonly keys: AccessKeyAdmin;
  readonly images: ImageAdmin;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
};

export type AdminInfo = {
  readonly version: string;
  readonly driver: string;
  readonly isolated: boolean;
  readonly authentication: boolean;
  /** How long an idle instance is kept. */
  readonly keepAliveMs: number;
  /** The name of the warming policy. */
  readonly warming: string;
  /** Epoch milliseconds. */
  readonly startedMs: number;
};

/** Access keys, as this API needs them. */
export type AccessKeyAdmin = Pick<AccessKeys, 'create' | 'delete'> & {
  list(): readonly AccessKey[] | Promise<readonly AccessKey[]>;
};

/**
 * A handler that takes the requests below `/_hearth/` and returns true, and leaves all others alone and returns false. Who may not do
 * this has been turned away before. `body`: the request's body, as far as there is one.
 */
export function createAdminApi(given: AdminOptions): (request: IncomingMessage, response: ServerResponse, body?: Uint8Array) => boolean {
  const options = { ...given, sendTrace: createTraceExport(given) };
  return (request, response, body = new Uint8Array()) => {
    if (!request.url?.startsWith(ADMIN_PREFIX)) return false;
    answer(options, { request, response, body }).catch((thrown: unknown) => {
      const error = asHearthError(thrown);
      if (error.code === 'Internal') options.onError(thrown);
      sendError(response, error);
    });
    return true;
  };
}

type Incoming = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly body: Uint8Array };
type Call = Incoming & { readonly url: URL; readonly parts: readonly string[] };
type Options = AdminOptions & { readonly sendTrace: SendTrace };

async function answer(options: Options, incoming: Incoming): Promise<void> {
  const url = URL.parse(incoming.request.url ?? '', 'http://hearth');
  if (!url) throw new HearthError('BadRequest', 'The request target is not a path.');
  await route(options, { ...incoming, url, parts: url.pathname.slice(ADMIN_PREFIX.length).split('/') });
}

async function route(options: Options, call: Call): Promise<void> {
  const { response, parts } = call;
  switch (`${call.request.method} ${pattern(parts)}`) {
    case 'GET health':
      return sendJson(response, 200, { status: 'ok' });
    case 'GET ready':
      return sendJson(response, options.ready() ? 200 : 503, { ready: options.ready() });
    case 'GET info':
      return sendJson(response, 200, options.info);
    case 'GET stats':
      return sendJson(response, 200, { deployments: options.stats(), host: options.load() });
    case 'GET functions/*/logs':
      return functionLogs(options, call, decode(parts[1]!));
    case 'GET functions/*/starts':
      return functionStarts(options, call, decode(parts[1]!));
    case 'GET warming':
      return sendJson(response, 200, options.warming());
    case 'GET trace':
      return traceOf(options, call);
    case 'GET functions/*/warm':
      return functionWarmth(options, call, decode(parts[1]!));
    case 'GET starts/*':
      return sendStart(response, { logs: options.logs, id: decode(parts[1]!), functionNames: options.functionNames() });
    case 'GET keys':
      return sendJson(response, 200, { keys: await options.keys.list() });
    case 'POST keys':
      return sendJson(response, 201, await options.keys.create(descriptionIn(call.body)));
    case 'DELETE keys/*':
      return deleteKey(options, response, decode(parts[1]!));
    case 'GET images':
      return sendJson(response, 200, { images: await options.images.list() });
    case 'POST images':
      return sendJson(response, 201, await imageOf(options.images, call.body));
    case 'DELETE images/*':
      return deleteImage(options, response, decode(parts[1]!));
    case 'POST uploads':
      return sendJson(response, 201, await options.images.begin());
    case 'PUT uploads/*':
      return sendJson(response, 200, await options.images.append(decode(parts[1]!), offsetIn(call.url.searchParams), call.body));
    case 'DELETE uploads/*':
      await options.images.cancel(decode(parts[1]!));
      return sendJson(response, 200, { cancelled: decode(parts[1]!) });
    default:
      throw new HearthError('NotFound', `${call.request.method} ${call.url.pathname} is not part of the admin API; see docs/cli.md`);
  }
}

// The path with its name replaced by a star: that of the logs of any function is one pattern.
function pattern(parts: readonly string[]): string {
  const [noun, name, ...rest] = parts.at(-1) === '' ? parts.slice(0, -1) : parts;
  return name === undefined ? (noun ?? '') : [noun, '*', ...rest].join('/');
}

async function functionLogs(options: AdminOptions, { response, url }: Call, name: string): Promise<void> {
  mustExist(options, name);
  const query = url.searchParams;
  const sinceMs = numberIn(query, 'since');
  const limit = numberIn(query, 'limit');
  const requestId = query.get('requestId') ?? undefined;
  await sendLogs(response, {
    logs: options.logs,
    clock: options.clock,
    functionName: name,
    follow: query.has('follow'),
    query: {
      ...(sinceMs !== undefined && { sinceMs }),
      ...(limit !== undefined && { limit }),
      ...(requestId !== undefined && { requestId }),
    },
  });
}

async function functionStarts(options: AdminOptions, { response, url }: Call, name: string): Promise<void> {
  mustExist(options, name);
  const query = url.searchParams;
  await sendStarts(response, { logs: options.logs, functionName: name, kind: query.get('kind'), limit: numberIn(query, 'limit') });
}

async function traceOf(options: Options, { response, url }: Call): Promise<void> {
  const named = new Set(url.searchParams.getAll('function'));
  for (const name of named) mustExist(options, name);
  const functionNames = named.size === 0 ? [...options.functionNames()] : [...named];
  await options.sendTrace(response, { functionNames, sinceMs: numberIn(url.searchParams, 'since') });
}

function functionWarmth(options: AdminOptions, { response }: Call, name: string): void {
  mustExist(options, name);
  sendJson(response, 200, options.warmth(name));
}

function mustExist(options: AdminOptions, name: string): void {
  if (!options.functionExists(name)) throw new HearthError('ResourceNotFoundException', `Function not found: ${name}`);
}

async function deleteKey(options: AdminOptions, response: ServerResponse, accessKeyId: string): Promise<void> {
  if (!(await options.keys.delete(accessKeyId)))
    throw new HearthError('ResourceNotFoundException', `There is no access key ${accessKeyId}`);
  sendJson(response, 200, { deleted: accessKeyId });
}

async function deleteImage({ images }: AdminOptions, response: ServerResponse, digest: string): Promise<void> {
  await images.delete(digest);
  sendJson(response, 200, { deleted: digest });
}

function descriptionIn(body: Uint8Array): { readonly description?: string } {
  if (body.length === 0) return {};
  const value = parseJson(body);
  const description = typeof value === 'object' && value !== null && 'description' in value ? value.description : undefined;
  if (description === undefined) return {};
  if (typeof description !== 'string' || description.length > 256)
    throw new HearthError('BadRequest', 'description must be a text of at most 256 characters');
  return { description };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new HearthError('BadRequest', `${text} is not percent-encoded correctly`, { cause: error });
  }
}
