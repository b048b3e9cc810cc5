import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { Refused } from './errors.ts';

const { request: makeRequest } = process.getBuiltinModule('node:http');

/** Of one connection only, and so never passed on (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authorization', 'proxy-authenticate'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
]);

/** Sends a request with an absolute address on over `upstream`, and the answer back. */
export function forward(request: IncomingMessage, response: ServerResponse, upstream: Socket, refuse: (error: Refused) => void): void {
  const url = new URL(request.url!);
  const headers = ['host', url.host, ...passedOn(request.rawHeaders, request.headers.connection, 'host')];
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  if (!hasBody && !['GET', 'HEAD', 'OPTIONS', 'TRACE', 'DELETE'].includes(request.method!)) headers.push('content-length', '0');
  const sent = makeRequest({
    createConnection: () => upstream,
    method: request.method,
    path: `${url.pathname}${url.search}`,
    headers,
    setHost: false,
    insecureHTTPParser: false,
  });
  sent.on('response', (answer) => {
    try {
      response.writeHead(answer.statusCode!, answer.statusMessage, passedOn(answer.rawHeaders, answer.headers.connection));
    } catch (error) {
      upstream.destroy();
      return refuse(new Refused(502, `${url.host} answered what cannot be passed on: ${(error as Error).message}`));
    }
    pipeline(answer, response, () => upstream.destroy());
  });
  sent.on('error', (error: NodeJS.ErrnoException) => {
    upstream.destroy();
    refuse(new Refused(502, `${url.host} gave no answer (${error.code ?? error.message})`));
  });
  response.on('close', () => upstream.destroy());
  if (request.headers.expect !== undefined) response.writeContinue();
  if (hasBody) request.pipe(sent);
  else sent.end();
}

/** Names and values in turn. What `connection` names goes no further either. */
function passedOn(rawHeaders: readonly string[], connection: string | undefined, ...more: readonly string[]): string[] {
  const named = new Set([
    ...more,
    ...(connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  ]);
  const passed: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!HOP_BY_HOP.has(name) && !named.has(name)) passed.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return passed;
}
