/**
 * Plain HTTP/1.1 requests: whole in one piece, and with nothing in them that two parsers could read differently. Whoever gets
 * `undefined` leaves the bytes to a full HTTP server, which knows what to make of everything else, errors included. So this may be narrow,
 * and must never take what such a server would refuse or read otherwise (RFC 9112).
 */

import type { EventForm } from './event-form.ts';
import { FORBIDDEN_IN_HEADER_VALUE, HEADER_NAME } from './http-headers.ts';

export type PlainRequest = {
  readonly method: string;
  /** Path and query, as sent. Begins with a slash. */
  readonly target: string;
  readonly head: PlainHead;
  /** Where the body begins, in bytes. */
  readonly bodyAt: number;
};

/** All headers of a request. Clients send the same ones again and again: then it is the same object. */
export type PlainHead = {
  /** As they were sent, with the empty line after them. */
  readonly block: string;
  /** Names and values in turn, as node:http gives them. */
  readonly rawHeaders: readonly string[];
  readonly host: string;
  /** The value of `x-amzn-trace-id`. */
  readonly trace: string | undefined;
  readonly origin: boolean;
  /** What content-length says; 0 without one. Part of it may still have to come. */
  readonly bodyBytes: number;
  /** It came with another request before. */
  repeated: boolean;
  /** The form of events that such requests become at the function URL of `shape`. */
  form: { readonly shape: object; readonly hasQuery: boolean; readonly form: EventForm } | undefined;
};

/**
 * `text`: what has arrived, a character for each byte; `before`: what the client sent with its last request. Undefined: not plain, its head
 * is not whole, or more than one request.
 */
export function parsePlainRequest(text: string, before?: PlainHead): PlainRequest | undefined {
  REQUEST_LINE.lastIndex = 0;
  const line = REQUEST_LINE.exec(text);
  if (!line) return undefined;
  const headersAt = REQUEST_LINE.lastIndex;
  let head = before;
  // The same bytes up to the empty line are the same headers.
  if (head && text.slice(headersAt, headersAt + head.block.length) === head.block) head.repeated = true;
  else head = parseHead(text, headersAt);
  if (!head) return undefined;
  const bodyAt = headersAt + head.block.length;
  return text.length > bodyAt + head.bodyBytes ? undefined : { method: line[1]!, target: line[2]!, head, bodyAt };
}

function parseHead(text: string, headersAt: number): PlainHead | undefined {
  const rawHeaders: string[] = [];
  let host: string | undefined;
  let trace: string | undefined;
  let length: string | undefined;
  let origin = false;
  let at = headersAt;
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end === at) break;
    const colon = end === -1 ? -1 : text.indexOf(':', at);
    if (colon <= at || colon > end || rawHeaders.length >= MAX_HEADERS * 2) return undefined;
    const name = text.slice(at, colon);
    const value = trimmed(text, colon + 1, end);
    const meaning = meaningOf(name);
    if (meaning === NOT_PLAIN || FORBIDDEN_IN_HEADER_VALUE.test(value)) return undefined;
    switch (meaning) {
      case HOST:
        if (host !== undefined) return undefined;
        host = value;
        break;
      case LENGTH:
        if (length !== undefined || !LENGTH_VALUE.test(value)) return undefined;
        length = value;
        break;
      case CONNECTION:
        if (value !== 'keep-alive' && value.toLowerCase() !== 'keep-alive') return undefined;
        break;
      case TRACE:
        // Twice: node:http says what the two together mean.
        if (trace !== undefined) return undefined;
        trace = value;
        break;
      case ORIGIN:
        origin = true;
        break;
    }
    rawHeaders.push(name, value);
    at = end + 2;
  }
  if (host === undefined) return undefined;
  const block = text.slice(headersAt, at + 2);
  return { block, rawHeaders, host, trace, origin, bodyBytes: length === undefined ? 0 : Number(length), repeated: false, form: undefined };
}

/** HEAD is not among them, whose answer has no body, nor what a function URL doesn't take. The path as RFC 3986 has it. */
const REQUEST_LINE = /(GET|POST|PUT|PATCH|DELETE|OPTIONS) (\/[\w\-.~:/?[\]@!$&'()*+,;=%]*) HTTP\/1\.1\r\n/y;
const LENGTH_VALUE = /^\d{1,9}$/;
/** As many as node:http gives by default. */
const MAX_HEADERS = 1_000;

/** What a header means to whoever reads the request off the connection. */
const ORDINARY = 0;
const NOT_PLAIN = 1;
const HOST = 2;
const LENGTH = 3;
const CONNECTION = 4;
const TRACE = 5;
const ORIGIN = 6;

const MEANINGS = new Map([
  ['host', HOST],
  ['content-length', LENGTH],
  ['connection', CONNECTION],
  ['x-amzn-trace-id', TRACE],
  ['origin', ORIGIN],
  // How the body is framed, what else the connection becomes, and what an answer has to wait for.
  ['transfer-encoding', NOT_PLAIN],
  ['trailer', NOT_PLAIN],
  ['te', NOT_PLAIN],
  ['upgrade', NOT_PLAIN],
  ['http2-settings', NOT_PLAIN],
  ['proxy-connection', NOT_PLAIN],
  ['keep-alive', NOT_PLAIN],
  ['expect', NOT_PLAIN],
]);

/** By names as they were sent. Bounded by being dropped when it has grown: clients choose the names. */
const known = new Map<string, number>();
const MAX_KNOWN = 2_000;
const MAX_KNOWN_NAME = 64;

function meaningOf(name: string): number {
  const meaning = known.get(name);
  if (meaning !== undefined) return meaning;
  const found = HEADER_NAME.test(name) ? (MEANINGS.get(name.toLowerCase()) ?? ORDINARY) : NOT_PLAIN;
  if (known.size >= MAX_KNOWN) known.clear();
  if (name.length <= MAX_KNOWN_NAME) known.set(name, found);
  return found;
}

/** Without the white space around it. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;
