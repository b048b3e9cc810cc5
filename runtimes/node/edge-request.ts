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

const { isArray } = Array;
const { entries } = Object;
const { from: toBuffer } = Buffer;
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
    const headers = pairsOf(fields['headers']);
    addCookies(headers, fields['cookies']);
    return {
      request: build({ fields, context, method, path: fields['rawPath'], query: fields['rawQueryString'], headers }),
      format: FORMAT_2,
    };
  }
  if (typeof httpMethod === 'string') {
    const { multiValueHeaders } = fields;
    const multiValue = typeof multiValueHeaders === 'object' && multiValueHeaders !== null;
    const headers = pairsOf(multiValue ? multiValueHeaders : fields['headers']);
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
  readonly headers: Pairs;
};

function build({ fields, context, method, path, query, headers }: Parts): Request {
  const target = `${typeof path === 'string' && path !== '' ? path : '/'}${typeof query === 'string' && query !== '' ? `?${query}` : ''}`;
  const { body } = fields;
  // As bytes: of a text the Request would make a content type of its own.
  const bytes = typeof body === 'string' ? toBuffer(body, fields['isBase64Encoded'] === true ? 'base64' : 'utf8') : null;
  return new Request(`${originOf(headers, context)}${target}`, { method, headers, body: mayHaveBody(method) ? bytes : null });
}

/** A Request of these has none. */
const mayHaveBody = (method: string): boolean => !/^(GET|HEAD)$/i.test(method);

/** The scheme as whoever stands before us says, the host as the client does, unless that could be taken for something else. */
function originOf(headers: Pairs, context: Fields): string {
  const scheme = valueOf(headers, 'x-forwarded-proto')?.split(',')[0]!.trim() === 'https' ? 'https' : 'http';
  const { domainName } = context;
  for (const host of [valueOf(headers, 'host'), domainName]) {
    if (typeof host === 'string' && HOST.test(host) && URL.canParse(`${scheme}://${host}`)) return `${scheme}://${host}`;
  }
  return `${scheme}://localhost`;
}

const HOST = /^(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/;

function valueOf(headers: Pairs, name: string): string | undefined {
  for (let i = 0; i < headers.length; i++) if (headers[i]![0].toLowerCase() === name) return headers[i]![1];
  return undefined;
}

/** About the connection that the request came over: fetch refuses most of them, in a Request that is sent on. */
const CONNECTION = /^(connection|expect|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/i;

function pairsOf(value: unknown): Pairs {
  const pairs: Pairs = [];
  for (const [name, given] of entries(fieldsOf(value))) {
    for (const each of isArray(given) ? (given as unknown[]) : [given]) {
      if (each !== undefined && each !== null && !CONNECTION.test(name)) pairs.push([name, asText(each)]);
    }
  }
  return pairs;
}

/** They are a list of their own, and at function URLs the header that they came in is there too. */
function addCookies(headers: Pairs, cookies: unknown): void {
  if (isArray(cookies) && cookies.length > 0 && valueOf(headers, 'cookie') === undefined) headers.push(['cookie', cookies.join('; ')]);
}

/** Of format 1.0: load balancers pass names and values on as they were sent, others have decoded them. */
function queryOf(fields: Fields, sent: boolean): string {
  const write = (text: string) => (sent ? text : encode(text));
  const pairs = pairsOf(fields['multiValueQueryStringParameters'] ?? fields['queryStringParameters']);
  return pairs.map(([name, value]) => `${write(name)}=${write(value)}`).join('&');
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
