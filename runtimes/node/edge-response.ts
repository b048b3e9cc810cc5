/**
 * A web-standard Response as an answer: one that is there at once, and small, as a JSON text, as handlers return it; any other as a stream,
 * each chunk when it is made.
 */
import { isUtf8 } from 'node:buffer';
import type { Format } from './edge-request.ts';
import { RuntimeError } from './errors.ts';

/** Where a streamed answer goes. */
export interface Output {
  begin(head: Head): void;
  /** Nothing once the invocation is over. */
  write(chunk: Uint8Array): void;
  /** Resolves when more may come; rejects once the invocation is over. */
  drained(): Promise<void>;
}

export type Head = { readonly statusCode: number; readonly headers: Readonly<Record<string, string>>; readonly cookies: readonly string[] };
export type Sending = { readonly method: string; readonly format: Format; readonly output: Output };

/** For larger ones the JSON text costs more than frames of their own. */
const MOST_WHOLE_BYTES = 64 * 1024;
const EMPTY = new Uint8Array();
const { stringify } = JSON;
const { concat } = Buffer;
const toBuffer: (bytes: ArrayBufferLike, from: number, length: number) => Buffer = Buffer.from;
const { clearImmediate, setImmediate } = globalThis;
const asText: (value: unknown) => string = String;

/** The answer as a JSON text; undefined: it has gone to `output`. Throws RuntimeError `InvalidResponse`, and what the body breaks off with. */
export async function sendResponse(value: unknown, sending: Sending): Promise<string | undefined> {
  const response = checked(value);
  const head = headOf(response, sending.format);
  // Some Responses make their body when they are asked for it.
  const { body } = response;
  if (body === null || body === undefined) return textOf(head, EMPTY, sending.format);
  const reader = body.getReader();
  try {
    return await passOn(reader, head, sending);
  } catch (error) {
    abandon(reader, error);
    throw error;
  }
}

/** What makes the body is told that nobody takes it. */
function abandon(reader: Reader, reason?: unknown): void {
  reader.cancel(reason).catch(() => {
    // How it comes to its end is its own affair.
  });
}

type Reader = ReadableStreamDefaultReader<unknown>;

async function passOn(reader: Reader, head: Head, { method, format, output }: Sending): Promise<string | undefined> {
  const mayStream = format.version === 2;
  const headOnly = method === 'HEAD';
  const kept: Uint8Array[] = [];
  let bytes = 0;
  let begun = false;
  const begin = (): void => {
    if (begun) return;
    begun = true;
    output.begin(head);
    if (headOnly) abandon(reader);
    else for (let i = 0; i < kept.length; i++) output.write(kept[i]!);
  };
  // What is not whole when the event loop turns is still being made: what there is of it goes out then.
  const turn = mayStream ? setImmediate(begin) : undefined;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const chunk = bytesOf(value);
      bytes += chunk.length;
      if (begun) output.write(chunk);
      else kept[kept.length] = chunk;
      if (mayStream && bytes > MOST_WHOLE_BYTES) begin();
      if (begun) await output.drained();
    }
  } finally {
    clearImmediate(turn);
  }
  return begun ? undefined : textOf(head, kept.length === 1 ? kept[0]! : concat(kept), format);
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`a Response's body is made of Uint8Array chunks, and one of them is ${nameOf(value)}`);
}

/** Not by `instanceof`: frameworks and polyfills bring classes of their own. */
function checked(value: unknown): Response {
  const found = value as Partial<Response> | null | undefined;
  if (typeof found !== 'object' || found === null || typeof found.status !== 'number' || typeof found.headers?.forEach !== 'function')
    throw invalid(`fetch must answer with a Response, and this is ${nameOf(value)}`);
  const { body, bodyUsed, status } = found;
  if (status < 200 || status > 599) throw invalid(`the Response has the status ${status}, and what can be sent is 200 to 599`);
  if (bodyUsed === true || body?.locked === true)
    throw invalid('the body of the Response has been used already: answer with a clone of it');
  return found as Response;
}

const invalid = (message: string): RuntimeError => new RuntimeError('InvalidResponse', message);

function nameOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === undefined || value === null ? asText(value) : `a ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' ? `an object of ${name}` : 'an object';
}

/** What fetch decodes. */
const DECODED = /^((x-)?gzip|deflate|br|zstd)$/i;

function headOf({ status, headers, url }: Response, { version }: Format): Head {
  // Empty: the host sends none, where without it there would be a default.
  const fields: Record<string, string> = version === 2 ? { 'content-type': '' } : {};
  headers.forEach((value, name) => {
    // One that fetch has brought has its bytes decoded, and the header still.
    if (name === 'set-cookie' || (name === 'content-encoding' && url && DECODED.test(value))) return;
    fields[name] = value;
  });
  return { statusCode: status, headers: fields, cookies: headers.getSetCookie() };
}

function textOf(head: Head, bytes: Uint8Array, { version, multiValue }: Format): string {
  const buffer = toBuffer(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isBase64Encoded = !isUtf8(buffer);
  const body = buffer.toString(isBase64Encoded ? 'base64' : 'utf8');
  const { statusCode, headers, cookies } = head;
  if (version === 2) return stringify({ statusCode, headers, cookies, body, isBase64Encoded });
  if (!multiValue) {
    // Without lists of values there is room for one.
    const cookie = cookies.at(-1);
    return stringify({ statusCode, headers: cookie === undefined ? headers : { ...headers, 'set-cookie': cookie }, body, isBase64Encoded });
  }
  const multiValueHeaders: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) multiValueHeaders[name] = [value];
  if (cookies.length > 0) multiValueHeaders['set-cookie'] = cookies;
  return stringify({ statusCode, multiValueHeaders, body, isBase64Encoded });
}
