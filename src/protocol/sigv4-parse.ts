/** Reads an AWS Signature Version 4 out of a request, in either of its forms, without judging it. */
import { ALGORITHM, percentDecode, splitUrl } from './sigv4.ts';
import type { WireRequest } from './sigv4.ts';

export type ClaimedSignature = {
  readonly form: 'header' | 'presigned';
  readonly accessKeyId: string;
  /** Of the credential scope, YYYYMMDD. */
  readonly scopeDate: string;
  readonly region: string;
  readonly service: string;
  /** YYYYMMDDTHHMMSSZ, and the same as epoch milliseconds. */
  readonly timestamp: string;
  readonly timeMs: number;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** Presigned only: for how long from `timeMs` on. */
  readonly expiresSeconds?: number;
  readonly sessionToken?: string;
  /** The header x-amz-content-sha256. */
  readonly contentSha256?: string;
};

export type SignatureReading =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly message: string }
  | { readonly kind: 'read'; readonly claimed: ClaimedSignature };

export function readSignature(request: WireRequest): SignatureReading {
  const [authorization, ...others] = headers(request, 'authorization');
  // Which of them counts is not for us to choose.
  if (others.length > 0) return unreadable('there is more than one Authorization header.');
  if (authorization !== undefined) return readHeader(request, authorization);
  const { query } = splitUrl(request.url);
  return query.includes('X-Amz-Algorithm=') ? readQuery(request, query) : { kind: 'none' };
}

function readHeader(request: WireRequest, authorization: string): SignatureReading {
  if (!authorization.startsWith(`${ALGORITHM} `)) return unreadable(`Authorization has to begin with '${ALGORITHM} '.`);
  const parts = new Map<string, string>();
  for (const part of authorization.slice(ALGORITHM.length + 1).split(',')) {
    const equals = part.indexOf('=');
    if (equals !== -1) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  const missing = ['Credential', 'SignedHeaders', 'Signature'].filter((name) => !parts.get(name));
  if (missing.length > 0) return unreadable(`Authorization header requires ${missing.map((name) => `'${name}' parameter`).join(', ')}.`);
  return assemble(request, 'header', {
    credential: parts.get('Credential')!,
    signedHeaders: parts.get('SignedHeaders')!,
    signature: parts.get('Signature')!,
    timestamp: header(request, 'x-amz-date'),
    sessionToken: header(request, 'x-amz-security-token'),
  });
}

function readQuery(request: WireRequest, query: string): SignatureReading {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    if (!name.startsWith('X-Amz-')) continue;
    if (parameters.has(name)) return unreadable(`the parameter ${name} comes twice.`);
    parameters.set(name, equals === -1 ? '' : percentDecode(pair.slice(equals + 1)));
  }
  if (parameters.get('X-Amz-Algorithm') !== ALGORITHM) return unreadable(`X-Amz-Algorithm has to be ${ALGORITHM}.`);
  const missing = ['X-Amz-Credential', 'X-Amz-SignedHeaders', 'X-Amz-Signature', 'X-Amz-Expires'].filter((name) => !parameters.get(name));
  if (missing.length > 0) return unreadable(`the query requires ${missing.join(', ')}.`);
  const expires = parameters.get('X-Amz-Expires')!;
  if (!/^\d{1,6}$/.test(expires) || Number(expires) < 1 || Number(expires) > 604_800)
    return unreadable('X-Amz-Expires has to be between 1 and 604800 seconds.');
  return assemble(request, 'presigned', {
    credential: parameters.get('X-Amz-Credential')!,
    signedHeaders: parameters.get('X-Amz-SignedHeaders')!,
    signature: parameters.get('X-Amz-Signature')!,
    timestamp: parameters.get('X-Amz-Date'),
    sessionToken: parameters.get('X-Amz-Security-Token'),
    expiresSeconds: Number(expires),
  });
}

type Parts = {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly timestamp: string | undefined;
  readonly sessionToken: string | undefined;
  readonly expiresSeconds?: number;
};

function assemble(request: WireRequest, form: ClaimedSignature['form'], parts: Parts): SignatureReading {
  // An access key id has no slash; everything behind it is the scope.
  const [accessKeyId, scopeDate, region, service, terminator, ...more] = parts.credential.split('/');
  if (!accessKeyId || !scopeDate || !region || !service || terminator !== 'aws4_request' || more.length > 0)
    return unreadable('Credential has to be KEY/YYYYMMDD/REGION/SERVICE/aws4_request.');
  const timeMs = parts.timestamp === undefined ? undefined : readTimestamp(parts.timestamp);
  if (timeMs === undefined) return unreadable('X-Amz-Date has to be there, in the form YYYYMMDDTHHMMSSZ.');
  const contentSha256 = header(request, 'x-amz-content-sha256');
  return {
    kind: 'read',
    claimed: {
      form,
      accessKeyId,
      scopeDate,
      region,
      service,
      timestamp: parts.timestamp!,
      timeMs,
      signedHeaders: parts.signedHeaders.split(';'),
      signature: parts.signature,
      ...(parts.expiresSeconds === undefined ? {} : { expiresSeconds: parts.expiresSeconds }),
      ...(parts.sessionToken === undefined ? {} : { sessionToken: parts.sessionToken }),
      ...(contentSha256 === undefined ? {} : { contentSha256 }),
    },
  };
}

/** `20150830T123600Z` as epoch milliseconds. */
export function readTimestamp(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!match) return undefined;
  const timeMs = Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

export function writeTimestamp(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

const header = (request: WireRequest, name: string): string | undefined => headers(request, name)[0];

function headers({ rawHeaders }: WireRequest, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name);
}

function unreadable(message: string): SignatureReading {
  return { kind: 'unreadable', message };
}
