/**
 * An event that came by HTTP as a web-standard Request: of payload format 2.0, as function URLs send it, or of the older 1.0, in which load
 * balancers have a variant of their own.
 */
import { RuntimeError } from './errors.ts';

/** What the answer must be written in. `multiValue`: of format 1.0, with lists of values. */
export type Format = { readonly version: 1 | 2; readonly multiValue: boolean };
export type Requested = { readonly request: Request; readonly format: Format };

type Fields = Readonly<Record<string, unknown>>;
type Pairs = [name: string, value: string][];
/** What a Request gets, and what of it its URL is made of. */
type Headers = { readonly pairs: Pairs; readonly host: string; readonly scheme: string };

const { isArray } = Array;
const { keys } = Object;
const { from: toBuffer } = Buffer;
const { canParse } = URL;
const encode = encodeURIComponent;
const asText: (value: unknown) => string = String;
const FORMAT_2: Format = { version: 2, multiValue: false };

/** Throws RuntimeError `NotAnHttpEvent`, and TypeError where a Request cannot be what the event says. */
export function toRequest(event: unknown): Requested {
  const fields = fieldsOf(event);
  const context = fieldsOf(fields['requestContext']);
  const { method } = fieldsOf(context['http']);
  const { httpMethod } = fields;
  if (typeof method === 'string') {
    const headers = readHeaders(fields['headers'], fields['cookies']);
    return {
      request: build({ fields, context, method, path: fields['rawPath'], query: fields['rawQueryString'], headers }),
      format: FORMAT_2,
    };
  }
  if (typeof httpMethod === 'string') {
    const { multiValueHeaders } = fields;
    const multiValue = typeof multiValueHeaders === 'object' && multiValueHeaders !== null;
    const headers = readHeaders(multiValue ? multiValueHeaders : fields['headers'], undefined);
    const query = queryOf(fields, 'elb' in context);
    return {
      request: build({ fields, context, method: httpMethod, path: fields['path'], query, headers }),
      format: { version: 1, multiValue },
    };
  }
  throw new RuntimeError(
    'NotAnHttpEvent',
    'This function is an edge module: its fetch answers HTTP requests, and the event is none. Call the function by its URL, or invoke it with an event of payload format 2.0 or 1.0.',
  );
}

type Parts = {
  readonly fields: Fields;
  readonly context: Fields;
  readonly method: string;
  readonly path: unknown;
  readonly query: unknown;
  readonly headers: Headers;
};

function build({ fields, context, method, path, query, headers }: Parts): Request {
  const target = `${typeof path === 'string' && path !== '' ? path : '/'}${typeof query === 'string' && query !== '' ? `?${query}` : ''}`;
  const { body } = fields;
  // As bytes: of a text the Request would make a content type of its own.
  const bytes = typeof body === 'string' ? toBuffer(body, fields['isBase64Encoded'] === true ? 'base64' : 'utf8') : null;
  return new Request(`${originOf(headers, context)}${target}`, {
    method,
    headers: headers.pairs,
    body: mayHaveBody(method) ? bytes : null,
  });
}

/** A Request of these has none. */
const mayHaveBody = (method: string): boolean => !/^(GET|HEAD)$/i.test(method);

/** The last one that was looked at: mostly it is the next one, too. */
let known = '';

/** The scheme as whoever stands before us says, the host as the client does, unless that could be taken for something else. */
function originOf({ host, scheme }: Headers, { domainName }: Fields): string {
  for (const each of [host, domainName]) {
    const origin = `${scheme}://${asText(each)}`;
    if (origin === known) return origin;
    if (typeof each === 'string' && HOST.test(each) && canParse(origin)) return (known = origin);
  }
  return `${scheme}://localhost`;
}

const HOST = /^(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/;

/** About the connection that the request came over: fetch refuses most of them, in a Request that is sent on. */
const CONNECTION: ReadonlySet<string> = new Set([
  ...['connection', 'expect', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
]);

/** `cookies`: those of format 2.0, a list of their own; at function URLs the header that they came in is there too. */
function readHeaders(given: unknown, cookies: unknown): Headers {
  const pairs: Pairs = [];
  let host = '';
  let scheme = 'http';
  let hasCookie = false;
  for (const { 0: raw, 1: value } of pairsOf(given)) {
    const name = raw.toLowerCase();
    if (CONNECTION.has(name)) continue;
    if (name === 'host') host ||= value;
    else if (name === 'cookie') hasCookie = true;
    else if (name === 'x-forwarded-proto' && /^https *(,|$)/.test(value)) scheme = 'https';
    pairs.push([name, value]);
  }
  if (!hasCookie && isArray(cookies) && cookies.length > 0) pairs.push(['cookie', cookies.join('; ')]);
  return { pairs, host, scheme };
}

function pairsOf(value: unknown): Pairs {
  const pairs: Pairs = [];
  const fields = fieldsOf(value);
  for (const name of keys(fields)) {
    const given = fields[name];
    if (typeof given === 'string') pairs.push([name, given]);
    else if (isArray(given)) for (const each of given as unknown[]) pairs.push([name, asText(each)]);
    else if (given !== undefined && given !== null) pairs.push([name, asText(given)]);
  }
  return pairs;
}

/** Of format 1.0: load balancers pass names and values on as they were sent, others have decoded them. */
function queryOf(fields: Fields, sent: boolean): string {
  const write = (text: string) => (sent ? text : encode(text));
  const pairs = pairsOf(fields['multiValueQueryStringParameters'] ?? fields['queryStringParameters']);
  return pairs.map(([name, value]) => `${write(name)}=${write(value)}`).join('&');
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
