/** Lambda's event of an HTTP request, version 2.0, as a request for `wasi:http`, and its response as the answer to that event. */
import { isUtf8 } from 'node:buffer';
import { ModuleError } from './errors.ts';
import type { Header, HttpAnswer, HttpRequest } from './component-http.ts';

type HttpEvent = {
  readonly rawPath: string;
  readonly rawQueryString?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
  readonly requestContext: { readonly domainName?: string; readonly http: { readonly method: string } };
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
};

/** Throws ModuleError. */
export function requestOf(event: Uint8Array): HttpRequest {
  const parsed = parse(Buffer.from(event.buffer, event.byteOffset, event.byteLength).toString('utf8'));
  if (!isHttpEvent(parsed))
    throw new ModuleError(
      'Wasm.InvalidEvent',
      'The component answers HTTP requests, and the event is none: call it by its function URL, or with an event of version 2.0 (rawPath, requestContext.http.method)',
      '',
    );
  const { rawPath, rawQueryString, requestContext, body, isBase64Encoded } = parsed;
  const given = Object.entries(parsed.headers ?? {}).filter(([, value]) => typeof value === 'string');
  const cookies = Array.isArray(parsed.cookies) ? parsed.cookies : [];
  const pairs =
    cookies.length === 0 ? given : [...given.filter(([name]) => name.toLowerCase() !== 'cookie'), ['cookie', cookies.join('; ')]];
  return {
    method: requestContext.http.method,
    path: rawQueryString ? `${rawPath}?${rawQueryString}` : rawPath,
    authority: given.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? requestContext.domainName ?? 'localhost',
    headers: pairs.map(([name, value]): Header => [name!, Buffer.from(value!, 'utf8')]),
    body: Buffer.from(body ?? '', isBase64Encoded === true ? 'base64' : 'utf8'),
  };
}

function parse(text: string): Partial<HttpEvent> | null {
  try {
    return JSON.parse(text) as Partial<HttpEvent> | null;
  } catch {
    // An event need not be JSON for modules that take bytes.
    return null;
  }
}

const isHttpEvent = (event: Partial<HttpEvent> | null): event is HttpEvent =>
  typeof event?.rawPath === 'string' &&
  typeof event.requestContext?.http?.method === 'string' &&
  (event.body === undefined || event.body === null || typeof event.body === 'string');

const COOKIE = 'set-cookie';

/** Text as it is, everything else in base64. */
export function eventAnswer({ status, headers, parts }: HttpAnswer): Uint8Array {
  const body = Buffer.concat(parts);
  const text = isUtf8(body);
  const joined = new Map<string, string>();
  const cookies: string[] = [];
  for (const [name, bytes] of headers) {
    const key = name.toLowerCase();
    const value = Buffer.from(bytes).toString('utf8');
    if (key === COOKIE) cookies.push(value);
    else joined.set(key, joined.has(key) ? `${joined.get(key)}, ${value}` : value);
  }
  return Buffer.from(
    JSON.stringify({
      statusCode: status,
      headers: Object.fromEntries(joined),
      ...(cookies.length > 0 && { cookies }),
      body: body.toString(text ? 'utf8' : 'base64'),
      isBase64Encoded: !text,
    }),
  );
}
