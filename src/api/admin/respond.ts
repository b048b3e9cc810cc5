import type { ServerResponse } from 'node:http';
import type { HearthError } from '../../kernel/mod.ts';

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, 'cache-control': 'no-store' });
  response.end(body);
}

/** The form of AWS's JSON APIs, so that one client reads all. Once an answer has begun, all that is left is to break it off. */
export function sendError(response: ServerResponse, error: HearthError): void {
  if (response.headersSent) return void response.destroy();
  response.setHeader('x-amzn-errortype', error.code);
  sendJson(response, error.status === 0 ? 500 : error.status, {
    code: error.code,
    message: error.message,
    docs: `docs/errors/${error.code}.md`,
  });
}
