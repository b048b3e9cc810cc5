/**
 * A request to a function URL as the event that Lambda makes of it: payload format 2.0.
 *
 * This runs for every request at a function URL, so the text is put together by hand: what is the same for all requests of one URL
 * is serialised once (UrlEventShape), header names once per name, the time once per second; the rest is one JSON.stringify for each
 * value. The order of the fields is the one that Lambda has.
 */
import { isUtf8 } from 'node:buffer';
import { EventForm, FormEvent } from './event-form.ts';
import type { Blank, BodyKind } from './event-form.ts';
import type { PlainHead } from './http-request.ts';

export type UrlRequest = {
  /** Of a plain request that came over a connection of its own: `rawHeaders`, `sourceIp`, `port` and `httpVersion` are the same for all that share it. */
  readonly head?: PlainHead | undefined;
  readonly method: string;
  /** As sent, percent-encoded, without the query. Begins with a slash. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  /** Names and values in turn, as node:http gives them. */
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
  readonly sourceIp: string;
  /** The port it came in at: becomes x-forwarded-port, unless a proxy before us has set that. */
  readonly port: number;
  readonly requestId: string;
  readonly timeMs: number;
  /** Becomes the header x-amzn-trace-id, unless the client sent one. */
  readonly trace: string;
  /** Empty or absent: the event has no body. */
  readonly body?: Buffer | undefined;
};

/** The constant parts of all events of one function URL, as JSON texts. */
export type UrlEventShape = { readonly beforeHttp: string };

export type UrlOwner = { readonly urlId: string; readonly domainName: string; readonly caller?: IamCaller };
/** Who signed the request, with AuthType AWS_IAM. */
export type IamCaller = { readonly accessKey: string; readonly accountId: string };

/** Events are made by one encoder, which remembers header names and the current second. */
export interface UrlEventEncoder {
  /** As JSON, or, for a client that repeats itself, as a form that is filled in. */
  encode(shape: UrlEventShape, request: UrlRequest): string | FormEvent;
}

export const urlEventEncoder = (): UrlEventEncoder => new Encoder();

class Encoder implements UrlEventEncoder {
  readonly #names = new HeaderNames();
  #second = -1;
  #secondText = '';

  encode(shape: UrlEventShape, request: UrlRequest): string | FormEvent {
    return (request.head?.repeated && this.#fill(shape, request.head, request)) || this.#json(shape, request);
  }

  #json(shape: UrlEventShape, request: UrlRequest): string {
    const heads = encodeHeaders(this.#names, request);
    const path = JSON.stringify(request.path);
    const query = request.query;
    let text = `{"version":"2.0","routeKey":"$default","rawPath":${path},"rawQueryString":${query === '' ? '""' : JSON.stringify(query)},`;
    if (heads.cookies !== '') text += `"cookies":${heads.cookies},`;
    text += `"headers":{${heads.fields}},`;
    if (query !== '') text += `"queryStringParameters":${queryParameters(query)},`;
    text +=
      `${shape.beforeHttp}"http":{"method":"${request.method}","path":${path},"protocol":"HTTP/${request.httpVersion}",` +
      `"sourceIp":"${request.sourceIp}","userAgent":${heads.userAgent}},"requestId":"${request.requestId}","routeKey":"$default",` +
      `"stage":"$default","time":"${this.#timeText(request.timeMs)}","timeEpoch":${request.timeMs}},`;
    const { body } = request;
    if (body === undefined || body.length === 0) return `${text}"isBase64Encoded":false}`;
    if (isTextual(heads) && isUtf8(body)) return `${text}"body":${JSON.stringify(body.toString())},"isBase64Encoded":false}`;
    return `${text}"body":"${body.toString('base64')}","isBase64Encoded":true}`;
  }

  /** Undefined: this one does not go into a form. */
  #fill(shape: UrlEventShape, head: PlainHead, request: UrlRequest): FormEvent | undefined {
    const { method, path, query, trace, requestId, timeMs, body } = request;
    const hasQuery = query !== '';
    let known = head.form;
    if (known?.shape !== shape || known.hasQuery !== hasQuery) known = head.form = this.#form(shape, hasQuery, head, request);
    const { form } = known;
    if (form.body === 'text' && !isUtf8(body!)) return undefined;
    const parameters = hasQuery ? queryParameters(query) : '';
    if (NOT_LATIN1.test(parameters)) return undefined;
    let texts = `${method}\n${path}\n${path}\n`;
    if (hasQuery) texts += `${query}\n${parameters}\n`;
    if (head.trace === undefined) texts += `${trace}\n`;
    texts += `${requestId}\n${this.#timeText(timeMs)}\n${timeMs}\n`;
    return new FormEvent(form, texts, form.body === 'none' ? undefined : body);
  }

  #form(shape: UrlEventShape, hasQuery: boolean, head: PlainHead, request: UrlRequest): NonNullable<PlainHead['form']> {
    // What kind of body it has is seen by the event that a body becomes.
    const body = head.bodyBytes === 0 ? undefined : Buffer.from('x');
    const json = this.#json(shape, { ...request, query: hasQuery ? 'x' : '', body });
    const bodyKind: BodyKind = body === undefined ? 'none' : json.endsWith(TEXT_BODY) ? 'text' : 'base64';
    const blanks: Blank[] = [
      { path: ['requestContext', 'http', 'method'], as: 'text' },
      { path: ['requestContext', 'http', 'path'], as: 'text' },
      { path: ['rawPath'], as: 'text' },
    ];
    if (hasQuery) blanks.push({ path: ['rawQueryString'], as: 'text' }, { path: ['queryStringParameters'], as: 'json' });
    if (head.trace === undefined) blanks.push({ path: ['headers', 'x-amzn-trace-id'], as: 'text' });
    blanks.push(
      { path: ['requestContext', 'requestId'], as: 'text' },
      { path: ['requestContext', 'time'], as: 'text' },
      { path: ['requestContext', 'timeEpoch'], as: 'number' },
    );
    return { shape, hasQuery, form: new EventForm(json, blanks, bodyKind) };
  }

  #timeText(timeMs: number): string {
    const now = Math.floor(timeMs / 1000);
    if (now !== this.#second) {
      this.#second = now;
      this.#secondText = clfTime(timeMs);
    }
    return this.#secondText;
  }
}

const NOT_LATIN1 = /[^\0-\xff]/;
const TEXT_BODY = '"body":"x","isBase64Encoded":false}';

/** What all events of one function URL have in common. `caller`: as whom, otherwise anonymously. */
export function urlEventShape({ urlId, domainName, caller }: UrlOwner): UrlEventShape {
  const id = JSON.stringify(urlId);
  const authorizer = caller
    ? `"authorizer":{"iam":${JSON.stringify({
        accessKey: caller.accessKey,
        accountId: caller.accountId,
        callerId: caller.accessKey,
        cognitoIdentity: null,
        principalOrgId: null,
        userArn: `arn:aws:iam::${caller.accountId}:user/${caller.accessKey}`,
        userId: caller.accessKey,
      })}},`
    : '';
  const account = caller ? JSON.stringify(caller.accountId) : '"anonymous"';
  return {
    beforeHttp:
      `"requestContext":{"accountId":${account},"apiId":${id},${authorizer}` +
      `"domainName":${JSON.stringify(domainName)},"domainPrefix":${id},`,
  };
}

type EncodedHeaders = {
  /** Fields of a JSON object, without its braces. */
  fields: string;
  /** A JSON array, or nothing. */
  cookies: string;
  userAgent: string;
  contentType: string;
  contentEncoding: string;
};

function encodeHeaders(names: HeaderNames, request: UrlRequest): EncodedHeaders {
  const out: EncodedHeaders = { fields: '', cookies: '', userAgent: '""', contentType: '', contentEncoding: '' };
  const raw = hasDuplicates(names, request.rawHeaders) ? joinDuplicates(request.rawHeaders) : request.rawHeaders;
  let forwardedFor = `"x-forwarded-for":"${request.sourceIp}"`;
  let forwardedPort = `,"x-forwarded-port":"${request.port}"`;
  let forwardedProto = ',"x-forwarded-proto":"http"';
  let trace = `,"x-amzn-trace-id":"${request.trace}"`;
  let fields = '';
  for (let i = 0; i < raw.length; i += 2) {
    const value = raw[i + 1]!;
    const { name, json } = names.get(raw[i]!);
    const text = JSON.stringify(value);
    switch (name) {
      case 'x-forwarded-for':
        // Whoever stood before us comes first, the peer that we saw last.
        forwardedFor = `${json}${JSON.stringify(`${value}, ${request.sourceIp}`)}`;
        continue;
      case 'x-forwarded-port':
        forwardedPort = '';
        break;
      case 'x-forwarded-proto':
        forwardedProto = '';
        break;
      case 'x-amzn-trace-id':
        trace = '';
        break;
      case 'user-agent':
        out.userAgent = text;
        break;
      case 'content-type':
        out.contentType = value;
        break;
      case 'content-encoding':
        out.contentEncoding = value;
        break;
      case 'cookie':
        out.cookies = JSON.stringify(value.split(/; */).filter((cookie) => cookie !== ''));
        break;
    }
    fields += `${json}${text},`;
  }
  out.fields = fields + forwardedFor + forwardedPort + forwardedProto + trace;
  return out;
}

function hasDuplicates(names: HeaderNames, rawHeaders: readonly string[]): boolean {
  names.begin();
  for (let i = 0; i < rawHeaders.length; i += 2) if (!names.first(rawHeaders[i]!)) return true;
  return false;
}

/** Values of one name joined by commas in the order in which they came; cookies by semicolons, as one header would hold them. */
function joinDuplicates(rawHeaders: readonly string[]): string[] {
  const joined = new Map<string, string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const before = joined.get(name);
    joined.set(name, before === undefined ? rawHeaders[i + 1]! : `${before}${name === 'cookie' ? '; ' : ','}${rawHeaders[i + 1]!}`);
  }
  return [...joined].flat();
}

type HeaderName = { readonly name: string; readonly json: string; seen: number };

/** Remembers how header names are written in lower case and as JSON keys. Bounded: clients choose the names. */
class HeaderNames {
  readonly #known = new Map<string, HeaderName>();
  readonly #byLowerCase = new Map<string, HeaderName>();
  #round = 0;

  begin(): void {
    this.#round += 1;
    // Between requests only: within one, forgetting a name would hide a duplicate.
    if (this.#known.size > 2_000) {
      this.#known.clear();
      this.#byLowerCase.clear();
    }
  }

  /** Whether the name had not come in this round yet, in whatever case. */
  first(raw: string): boolean {
    const entry = this.get(raw);
    if (entry.seen === this.#round) return false;
    entry.seen = this.#round;
    return true;
  }

  get(raw: string): HeaderName {
    const known = this.#known.get(raw);
    if (known) return known;
    const name = raw.toLowerCase();
    const entry = this.#byLowerCase.get(name) ?? { name, json: `${JSON.stringify(name)}:`, seen: 0 };
    this.#byLowerCase.set(name, entry);
    this.#known.set(raw, entry);
    return entry;
  }
}

const TEXTUAL = /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml)\b|application\/javascript\b)/i;

/** Whether the body goes into the event as it is. Without a content type it doesn't: nobody has said that it is text. */
function isTextual(headers: EncodedHeaders): boolean {
  return headers.contentEncoding === '' && TEXTUAL.test(headers.contentType);
}

/** Decoded names and values; the values of a name that comes several times are joined by commas. */
function queryParameters(query: string): string {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1));
    const before = parameters.get(name);
    parameters.set(name, before === undefined ? value : `${before},${value}`);
  }
  let text = '';
  for (const [name, value] of parameters) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`;
  return `{${text}}`;
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Not an encoding after all, e.g. `100%`: what was sent is the best that can be shown.
    return spaced;
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** `18/Aug/2022:07:52:51 +0000` */
function clfTime(timeMs: number): string {
  const iso = new Date(timeMs).toISOString();
  return `${iso.slice(8, 10)}/${MONTHS[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}
