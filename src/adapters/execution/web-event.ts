/**
 * Events as HTTP requests: of function URLs and HTTP APIs (payload format 2.0), REST APIs (1.0), load balancers; every other event is posted as
 * it is. Their forms are those of AWS's documents.
 */
import type { InvokeHead, Web } from '../../protocol/mod.ts';
import { asHeader } from './runtime-api.ts';

export type WebRequest = {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
};

/** What an answer has to look like. */
export type AnswerForm = 'url' | 'rest' | 'load balancer' | 'load balancer, multi-value' | 'plain';

/** The event says that it is a request, and is none. */
export class WebEventError extends Error {
  override readonly name = 'WebEventError';
}

/** Throws WebEventError. */
export function readWebEvent(event: string | Uint8Array, head: InvokeHead, web: Web): { request: WebRequest; form: AnswerForm } {
  const text = typeof event === 'string' ? event : Buffer.from(event.buffer, event.byteOffset, event.byteLength).toString();
  const value = objectOf(JSON.parse(text) as unknown);
  const found = value && readRequest(value);
  if (!value || !found) {
    const headers = { host: HOST, 'content-type': 'application/json', ...ownHeaders(undefined, head) };
    return { form: 'plain', request: { method: 'POST', path: web.passThroughPath, headers, body: Buffer.from(text) } };
  }
  const { form, method, path, query, headers } = found;
  const own = ownHeaders(value['requestContext'], head);
  const request = {
    method,
    path: targetOf(withoutBase(path, web.basePath), query),
    headers: { host: HOST, ...headers, ...own },
    body: bodyIn(value),
  };
  return { form, request };
}

const HOST = 'localhost';

type Found = Omit<WebRequest, 'body'> & { readonly form: AnswerForm; readonly query: string };
type Fields = Readonly<Record<string, unknown>>;

function readRequest(event: Fields): Found | undefined {
  const context = objectOf(event['requestContext']);
  const http = objectOf(context?.['http']);
  if (http) return readUrlRequest(event, http);
  if (context && typeof event['httpMethod'] === 'string' && typeof event['path'] === 'string')
    return readRestRequest(event, context['elb'] !== undefined);
  return undefined;
}

function readUrlRequest(event: Fields, http: Fields): Found {
  const headers = headersIn(event['headers'], undefined);
  const { cookies } = event;
  if (Array.isArray(cookies) && cookies.length > 0) headers['cookie'] = cookies.map(String).join('; ');
  const path = textOf(event['rawPath'] ?? http['path'] ?? '/', 'rawPath');
  return { form: 'url', method: methodOf(http['method']), path, query: textOf(event['rawQueryString'] ?? '', 'rawQueryString'), headers };
}

/** Load balancers leave the query's names and values encoded. */
function readRestRequest(event: Fields, balanced: boolean): Found {
  const { multiValueHeaders, multiValueQueryStringParameters, queryStringParameters } = event;
  const pairs = [...valuesIn(queryStringParameters, multiValueQueryStringParameters)].flatMap(([name, values]) =>
    values.map((value) => (balanced ? `${name}=${value}` : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)),
  );
  const multiple = objectOf(multiValueHeaders) !== undefined;
  return {
    form: balanced ? (multiple ? 'load balancer, multi-value' : 'load balancer') : 'rest',
    method: methodOf(event['httpMethod']),
    path: event['path'] as string,
    query: pairs.join('&'),
    headers: headersIn(event['headers'], multiValueHeaders),
  };
}

/** What is about the connection to whoever sent it, and not to this server. */
const OF_THE_CONNECTION = new Set([
  ...['connection', 'content-length', 'expect', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
]);

function headersIn(single: unknown, multiple: unknown): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, values] of valuesIn(single, multiple)) {
    const lower = name.toLowerCase();
    if (!OF_THE_CONNECTION.has(lower)) headers[lower] = values.length === 1 ? values[0]! : values;
  }
  return headers;
}

/** Of a name that occurs in both the list counts. */
function valuesIn(single: unknown, multiple: unknown): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const [name, value] of Object.entries(objectOf(single) ?? {})) if (typeof value === 'string') all.set(name, [value]);
  for (const [name, values] of Object.entries(objectOf(multiple) ?? {})) if (Array.isArray(values)) all.set(name, values.map(String));
  return all;
}

/** What a server may want to know of the invocation; a client can't say it in their place. */
function ownHeaders(context: unknown, { id, deadlineMs, arn, trace }: InvokeHead): Record<string, string> {
  const invocation = { request_id: id, deadline: deadlineMs, invoked_function_arn: arn, xray_trace_id: trace };
  return {
    ...(context !== undefined && { 'x-amzn-request-context': asHeader(JSON.stringify(context)) }),
    'x-amzn-lambda-context': asHeader(JSON.stringify(invocation)),
    ...(trace !== undefined && { 'x-amzn-trace-id': trace }),
    connection: 'close',
  };
}

const methodOf = (method: unknown): string => textOf(method, 'the method').toUpperCase();

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new WebEventError(`The event is no request: ${what} is not a text.`);
}

const withoutBase = (path: string, base: string): string =>
  base !== '' && (path === base || path.startsWith(`${base}/`)) ? path.slice(base.length) || '/' : path;

/** Paths of REST APIs come decoded. */
function targetOf(path: string, query: string): string {
  const target = `${path.startsWith('/') ? path : `/${path}`}${query === '' ? '' : `?${query}`}`;
  return target.replaceAll(/[^\x21-\x7e]+/g, (part) => encodeURIComponent(part.toWellFormed()));
}

function bodyIn({ body, isBase64Encoded }: Fields): Buffer {
  if (typeof body !== 'string') return Buffer.alloc(0);
  return Buffer.from(body, isBase64Encoded === true ? 'base64' : 'utf8');
}

const objectOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
