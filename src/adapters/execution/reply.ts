import type { IncomingMessage, ServerResponse } from 'node:http';

/** Errors of these APIs, in Lambda's words: bodies of the Runtime API are not in the form of those of the Lambda API. */
export type ApiError = { readonly status: number; readonly errorType: string; readonly errorMessage: string };

export const INVALID_REQUEST_ID: ApiError = { status: 400, errorType: 'InvalidRequestID', errorMessage: 'Invalid request ID' };
export const NOT_FOUND: ApiError = { status: 404, errorType: 'NotFound', errorMessage: 'There is no such path in this API' };

export const invalidTransition = (who: string, from: string, to: string): ApiError => ({
  status: 403,
  errorType: 'InvalidStateTransition',
  errorMessage: `State transition from ${from} to ${to} failed for ${who}. Error: State transition is not allowed`,
});

export const tooLarge = (limitBytes: number): ApiError => ({
  status: 413,
  errorType: 'RequestEntityTooLarge',
  errorMessage: `Exceeded maximum allowed payload size (${limitBytes} bytes).`,
});

export function refuse(response: ServerResponse, { status, errorType, errorMessage }: ApiError): void {
  reply(response, status, { errorMessage, errorType });
}

/** Nobody here knows what was asked for. */
export const refuseUnknown = (response: ServerResponse): void => refuse(response, NOT_FOUND);

export function accept(response: ServerResponse): void {
  reply(response, 202, { status: 'OK' });
}

export function reply(
  response: ServerResponse,
  status: number,
  body: object | string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** The whole body; undefined: it is over the limit, or broke off. What is over the limit is not read: the connection is closed after the reply. */
export async function bodyOf(request: IncomingMessage, limitBytes: number): Promise<Buffer | 'too large' | 'broken off'> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) return 'too large';
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limitBytes) return 'too large';
      chunks.push(chunk);
    }
  } catch {
    return 'broken off';
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
}

/** One header's text; several of a name are joined as node:http does it. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
