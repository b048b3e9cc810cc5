import { createHash } from 'node:crypto';
import { ALGORITHM, credentialScope, signature, signingKey } from './sigv4.ts';
import { writeTimestamp } from './sigv4-parse.ts';

export type SignOptions = {
  readonly method: string;
  readonly url: URL;
  /** What will be sent; all of it is signed. Without `host`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly service: string;
  readonly timeMs: number;
};

/** The headers to send with the request: those given, and with them x-amz-date, x-amz-content-sha256 and authorization. */
export function signRequest(options: SignOptions): Record<string, string> {
  const payloadHash = createHash('sha256')
    .update(options.body ?? '')
    .digest('hex');
  const timestamp = writeTimestamp(options.timeMs);
  const scope = { timestamp, region: options.region, service: options.service };
  const headers: Record<string, string> = { 'x-amz-date': timestamp, 'x-amz-content-sha256': payloadHash };
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = value;
  const signedHeaders = [...Object.keys(headers), 'host'].sort();
  const request = {
    method: options.method,
    url: `${options.url.pathname}${options.url.search}`,
    rawHeaders: ['host', options.url.host, ...Object.entries(headers).flat()],
  };
  const signed = signature(
    request,
    { ...scope, signedHeaders, payloadHash, normalizePath: true },
    signingKey(options.secretAccessKey, scope),
  );
  const credential = `${options.accessKeyId}/${credentialScope(scope)}`;
  return {
    ...headers,
    authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signed}`,
  };
}
