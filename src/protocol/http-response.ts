/**
 * What a function behind a function URL returned, as an HTTP response: payload format 2.0, with Lambda's inference: a JSON value that has
 * no `statusCode` is itself the body, with status 200 and content type application/json.
 */
import { FORBIDDEN_IN_HEADER_VALUE, HEADER_NAME } from './http-headers.ts';
import { nestsTooDeep } from './json.ts';

export type UrlResponse = {
  readonly status: number;
  /** Names in lower case and values in turn, without content-length. `set-cookie` may come several times. */
  readonly headers: string[];
  readonly body: string | Buffer;
};

export type ResponsePrelude = {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
};

/** Reads the payload of an answer. Undefined: it is no response, which a function URL answers with 502. */
export function decodeUrlResponse(payload: Buffer): UrlResponse | undefined {
  if (nestsTooDeep(payload)) return undefined;
  const text = payload.toString();
  const value = parse(text);
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || !('statusCode' in value)) {
    return { status: 200, headers: ['content-type', 'application/json'], body: text };
  }
  const answer = value as Readonly<Record<string, unknown>>;
  const status = readStatus(answer['statusCode']);
  const headers = readHeaders(answer['headers'], answer['cookies'], 'application/json');
  if (status === undefined || headers === undefined) return undefined;
  return { status, headers, body: readBody(answer['body'], answer['isBase64Encoded'] === true) };
}

/** JSON has no undefined: that is what it isn't. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The type of a stream in which a prelude comes before the body: nothing that its reader is to see. */
export const HTTP_INTEGRATION = 'application/vnd.awslambda.http-integration-response';
const UNKNOWN_TYPE = 'application/octet-stream';

/** Status and headers of a streamed answer. Undefined: the prelude is not valid. */
export function decodePrelude(
  prelude: ResponsePrelude,
  contentType: string,
): { readonly status: number; readonly headers: string[] } | undefined {
  const status = prelude.statusCode === undefined ? 200 : readStatus(prelude.statusCode);
  const headers = readHeaders(prelude.headers, prelude.cookies, contentType === HTTP_INTEGRATION ? UNKNOWN_TYPE : contentType);
  return status === undefined || headers === undefined ? undefined : { status, headers };
}

function readStatus(value: unknown): number | undefined {
  // Numbers as text pass, as they do on Lambda.
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 599 ? status : undefined;
}

function readBody(body: unknown, base64: boolean): string | Buffer {
  if (typeof body === 'string') return base64 ? Buffer.from(body, 'base64') : body;
  return body === undefined || body === null ? '' : JSON.stringify(body);
}

/** What concerns the connection, or says which request this is, is ours to say: a function that says it too must not be able to break the framing. */
const OUR_HEADERS = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-amzn-requestid',
  'x-amzn-trace-id',
]);

/** Names as functions write them -> in lower case. Functions use few names, and each again and again. */
const knownNames = new Map<string, string>();
const MAX_KNOWN_NAMES = 1_000;
const MAX_KNOWN_NAME_LENGTH = 64;

function headerName(raw: string): string | undefined {
  const known = knownNames.get(raw);
  if (known !== undefined) return known;
  if (!HEADER_NAME.test(raw)) return undefined;
  const name = raw.toLowerCase();
  if (raw.length > MAX_KNOWN_NAME_LENGTH) return name;
  if (knownNames.size >= MAX_KNOWN_NAMES) knownNames.clear();
  knownNames.set(raw, name);
  return name;
}

/** An object is no header value; and nothing of a function's object is called to make it one. */
function headerValue(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.some((item) => typeof item === 'object' && item !== null) ? undefined : value.join(',');
  return typeof value === 'object' && value !== null ? undefined : String(value);
}

/** An empty content type stands for none at all, given or as the default. */
function readHeaders(headers: unknown, cookies: unknown, defaultContentType: string): string[] | undefined {
  const out: string[] = [];
  let typed = false;
  if (headers !== undefined && headers !== null) {
    if (typeof headers !== 'object') return undefined;
    for (const raw in headers) {
      const value = (headers as Readonly<Record<string, unknown>>)[raw];
      const name = headerName(raw);
      const text = typeof value === 'string' ? value : headerValue(value);
      if (name === undefined || text === undefined || FORBIDDEN_IN_HEADER_VALUE.test(text)) return undefined;
      if (OUR_HEADERS.has(name)) continue;
      if (name === 'content-type') {
        typed = true;
        if (text === '') continue;
      }
      out.push(name, text);
    }
  }
  if (!typed && defaultContentType !== '') out.push('content-type', defaultContentType);
  if (cookies === undefined || cookies === null) return out;
  if (!Array.isArray(cookies)) return undefined;
  for (const cookie of cookies as unknown[]) {
    if (typeof cookie !== 'string' || FORBIDDEN_IN_HEADER_VALUE.test(cookie)) return undefined;
    out.push('set-cookie', cookie);
  }
  return out;
}
