/** Requests that node:http takes and that nobody here should: those that somebody on the way may have understood otherwise (RFC 9112). */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Why a request must not be served. Undefined: it may be. */
export function ambiguity({ rawHeaders, url = '/', httpVersion }: IncomingMessage): string | undefined {
  let host: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (host !== undefined) return 'The request names more than one host.';
    host = rawHeaders[i + 1]!;
  }
  if (host === undefined && httpVersion !== '1.0') return 'The request names no host.';
  if (url.startsWith('/') || url === '*') return undefined;
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1];
  // Of two hosts the one in the target counts, and whoever looks at the other one looks at another request.
  return authority?.toLowerCase() === host?.toLowerCase()
    ? undefined
    : 'The target of the request and its Host header name different hosts.';
}

export function refuse(response: ServerResponse, message: string): void {
  const body = JSON.stringify({ message });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), connection: 'close' };
  response.writeHead(400, headers).end(body);
}
