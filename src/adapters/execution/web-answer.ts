/** A server's HTTP answer as what Lambda's callers expect: see web-event.ts for the forms. */
import { isUtf8 } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { StreamHead } from '../../protocol/mod.ts';
import type { AnswerForm } from './web-event.ts';

/** A JSON text. */
export function payloadOf(form: AnswerForm, response: IncomingMessage, body: Buffer): Buffer {
  return form === 'plain' ? plainPayload(body) : Buffer.from(JSON.stringify(answerOf(form, response, body)));
}

export function preludeOf(response: IncomingMessage): NonNullable<StreamHead['prelude']> {
  const { headers, cookies } = headOf(response);
  return { statusCode: response.statusCode!, headers: joined(headers), ...(cookies.length > 0 && { cookies }) };
}

function answerOf(form: Exclude<AnswerForm, 'plain'>, response: IncomingMessage, body: Buffer): object {
  const { headers, cookies } = headOf(response);
  const statusCode = response.statusCode!;
  const withCookies = cookies.length > 0 ? new Map([...headers, ['set-cookie', cookies]]) : headers;
  const multiple = Object.fromEntries(withCookies);
  const content = contentOf(body, headers.has('content-encoding'));
  switch (form) {
    case 'url':
      return { statusCode, headers: joined(headers), ...(cookies.length > 0 && { cookies }), ...content };
    case 'rest':
      return { statusCode, headers: joined(headers), multiValueHeaders: multiple, ...content };
    case 'load balancer':
      return { statusCode, statusDescription: describe(statusCode), headers: joined(withCookies), ...content };
    case 'load balancer, multi-value':
      return { statusCode, statusDescription: describe(statusCode), multiValueHeaders: multiple, ...content };
  }
}

const describe = (status: number): string => `${status} ${STATUS_CODES[status] ?? ''}`.trim();

/** What is text is left as it is; bytes, and what is compressed, are not. */
function contentOf(body: Buffer, compressed: boolean): { readonly body: string; readonly isBase64Encoded: boolean } {
  const isText = !compressed && isUtf8(body);
  return { body: body.toString(isText ? 'utf8' : 'base64'), isBase64Encoded: !isText };
}

/** What is no JSON is answered as a JSON text. */
function plainPayload(body: Buffer): Buffer {
  if (body.length === 0) return Buffer.from('null');
  try {
    JSON.parse(body.toString());
    return body;
  } catch {
    return Buffer.from(JSON.stringify(body.toString()));
  }
}

/** Of the connection to the server, and of how the body came. */
const OF_THE_CONNECTION = new Set(['connection', 'content-length', 'keep-alive', 'trailer', 'transfer-encoding', 'upgrade']);

function headOf({ rawHeaders }: IncomingMessage): { headers: Map<string, string[]>; cookies: string[] } {
  const headers = new Map<string, string[]>();
  const cookies: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const value = rawHeaders[i + 1]!;
    if (name === 'set-cookie') cookies.push(value);
    else if (!OF_THE_CONNECTION.has(name)) headers.set(name, [...(headers.get(name) ?? []), value]);
  }
  return { headers, cookies };
}

const joined = (headers: ReadonlyMap<string, readonly string[]>): Record<string, string> =>
  Object.fromEntries([...headers].map(([name, values]) => [name, values.join(', ')]));
