/**
 * AWS Signature Version 4: the canonical form of a request, and the keyed hash over it. Reading a signature out of a request is in
 * sigv4-parse.ts; whether its time, scope and key are acceptable is decided at the door.
 * Source: "Signature Version 4 signing process" in the IAM user guide.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export type WireRequest = {
  readonly method: string;
  /** Path and query as they were on the wire, a character per byte, as node:http gives them. */
  readonly url: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
};

export type SigningScope = {
  /** YYYYMMDDTHHMMSSZ */
  readonly timestamp: string;
  readonly region: string;
  readonly service: string;
};

export type SignatureInput = SigningScope & {
  /** Lower case, in the order in which the signer named them. */
  readonly signedHeaders: readonly string[];
  /** The last line of the canonical request: a SHA-256 in hexadecimal, or a word such as UNSIGNED-PAYLOAD. */
  readonly payloadHash: string;
  /** Whether `.`, `..` and doubled slashes in the path are resolved before signing. All services do so but S3. */
  readonly normalizePath: boolean;
  /** Query parameters that are not part of what was signed. X-Amz-Signature never is. */
  readonly unsignedParameters?: readonly string[];
};

export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
export const ALGORITHM = 'AWS4-HMAC-SHA256';

export function signature(request: WireRequest, input: SignatureInput, key: Buffer): string {
  return createHmac('sha256', key).update(stringToSign(request, input), 'latin1').digest('hex');
}

/** In constant time. */
export function signaturesEqual(a: string, b: string): boolean {
  const left = Buffer.from(a, 'latin1');
  const right = Buffer.from(b, 'latin1');
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Serves for all requests of one day to one service in one region. */
export function signingKey(secret: string, scope: SigningScope): Buffer {
  const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();
  return hmac(hmac(hmac(hmac(`AWS4${secret}`, scope.timestamp.slice(0, 8)), scope.region), scope.service), 'aws4_request');
}

export function stringToSign(request: WireRequest, input: SignatureInput): string {
  const hash = createHash('sha256').update(canonicalRequest(request, input), 'latin1').digest('hex');
  return `${ALGORITHM}\n${input.timestamp}\n${credentialScope(input)}\n${hash}`;
}

export function credentialScope(scope: SigningScope): string {
  return `${scope.timestamp.slice(0, 8)}/${scope.region}/${scope.service}/aws4_request`;
}

/** A character per byte, as the request itself. */
export function canonicalRequest(request: WireRequest, input: SignatureInput): string {
  const { path, query } = splitUrl(request.url);
  const values = new Map<string, string>();
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase();
    const value = request.rawHeaders[i + 1]!.trim().replaceAll(/\s+/g, ' ');
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before},${value}`);
  }
  return [
    request.method,
    canonicalPath(path, input),
    canonicalQuery(query, new Set(['X-Amz-Signature', ...(input.unsignedParameters ?? [])])),
    ...input.signedHeaders.map((name) => `${name}:${values.get(name) ?? ''}`),
    '',
    input.signedHeaders.join(';'),
    input.payloadHash,
  ].join('\n');
}

export function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?');
  return mark === -1 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function canonicalPath(path: string, input: SignatureInput): string {
  // S3 signs the path as it is sent; all others encode once more what is encoded already.
  if (input.service === 's3') return path === '' ? '/' : path;
  const encoded = (input.normalizePath ? normalized(path) : path).split('/').map(encodeBytes).join('/');
  return encoded === '' ? '/' : encoded;
}

function normalized(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') kept.pop();
    else kept.push(segment);
  }
  const text = `/${kept.join('/')}`;
  return path.endsWith('/') && text !== '/' ? `${text}/` : text;
}

function canonicalQuery(query: string, unsigned: ReadonlySet<string>): string {
  const pairs: (readonly [string, string])[] = [];
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = recode(equals === -1 ? pair : pair.slice(0, equals));
    if (!unsigned.has(name)) pairs.push([name, equals === -1 ? '' : recode(pair.slice(equals + 1))]);
  }
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return pairs
    .sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** However it was encoded on the wire, each byte comes out in the one canonical way. */
function recode(text: string): string {
  return encodeBytes(percentDecode(text));
}

export function percentDecode(text: string): string {
  return text.includes('%')
    ? text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;
}

/** RFC 3986 with upper-case digits: all but unreserved characters. Takes a character per byte. */
export function encodeBytes(bytes: string): string {
  return bytes.replaceAll(/[^A-Za-z0-9\-._~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
