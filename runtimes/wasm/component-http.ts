/** WASI 0.2: `wasi:http/types` over one request and one answer that lie in memory. Nothing is sent out: there are no connections here. */
import { Absent, InputStream, OutputStream, Pollable, Refusal } from './component-streams.ts';

export type Header = readonly [name: string, value: Uint8Array];
export type HttpRequest = {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
};
export type HttpAnswer = { readonly status: number; readonly headers: readonly Header[]; readonly parts: readonly Uint8Array[] };

type Variant = { readonly tag: string; readonly val?: unknown };
type Result<T> = { readonly tag: 'ok'; readonly val: T } | { readonly tag: 'err'; readonly val: Variant };

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
/** Of one connection, and so not a component's. */
const FORBIDDEN = new Set(
  'connection host http2-settings keep-alive proxy-authenticate proxy-authorization proxy-connection te transfer-encoding upgrade'.split(
    ' ',
  ),
);
const METHODS = new Set(['get', 'head', 'post', 'put', 'delete', 'connect', 'options', 'trace', 'patch']);
const MOST_FIELDS = 4096;
const isLineEnd = (byte: number): boolean => byte === 0 || byte === 10 || byte === 13;

export class Fields {
  #entries: Header[];
  readonly #immutable: boolean;

  constructor(entries: readonly Header[] = [], immutable = false) {
    this.#entries = [...entries];
    this.#immutable = immutable;
  }

  static fromList(entries: readonly Header[]): Fields {
    const fields = new Fields();
    for (const [name, value] of entries) fields.append(name, value);
    return fields;
  }

  /** The same, which can't be changed. */
  frozen(): Fields {
    return new Fields(this.#entries, true);
  }

  get(name: string): Uint8Array[] {
    const wanted = name.toLowerCase();
    return this.#entries.flatMap(([own, value]) => (own.toLowerCase() === wanted ? [value] : []));
  }

  has(name: string): boolean {
    return this.get(name).length > 0;
  }

  set(name: string, values: readonly Uint8Array[]): void {
    this.#check(name, values);
    this.#remove(name);
    for (const value of values) this.append(name, value);
  }

  delete(name: string): void {
    this.#check(name, []);
    this.#remove(name);
  }

  append(name: string, value: Uint8Array): void {
    this.#check(name, [value]);
    if (this.#entries.length >= MOST_FIELDS) throw new Error(`A component makes more than ${MOST_FIELDS} header fields`);
    this.#entries.push([name, value.slice()]);
  }

  entries(): Header[] {
    return this.#entries;
  }

  clone(): Fields {
    return new Fields(this.#entries);
  }

  #remove(name: string): void {
    const unwanted = name.toLowerCase();
    this.#entries = this.#entries.filter(([own]) => own.toLowerCase() !== unwanted);
  }

  #check(name: string, values: readonly Uint8Array[]): void {
    if (!TOKEN.test(name) || values.some((value) => value.some(isLineEnd))) throw new Refusal({ tag: 'invalid-syntax' });
    if (FORBIDDEN.has(name.toLowerCase())) throw new Refusal({ tag: 'forbidden' });
    if (this.#immutable) throw new Refusal({ tag: 'immutable' });
  }
}

export class IncomingRequest {
  readonly #request: HttpRequest;
  #consumed = false;

  constructor(request: HttpRequest) {
    this.#request = request;
  }

  method(): Variant {
    const { method } = this.#request;
    const tag = method.toLowerCase();
    return METHODS.has(tag) && method === tag.toUpperCase() ? { tag } : { tag: 'other', val: method };
  }

  pathWithQuery(): string {
    return this.#request.path;
  }

  scheme(): Variant {
    return { tag: 'HTTPS' };
  }

  authority(): string | undefined {
    return this.#request.authority;
  }

  headers(): Fields {
    return new Fields(this.#request.headers, true);
  }

  consume(): IncomingBody {
    if (this.#consumed) throw new Refusal(undefined);
    this.#consumed = true;
    return new IncomingBody(this.#request.body);
  }
}

export class IncomingBody {
  #bytes: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  stream(): InputStream {
    if (!this.#bytes) throw new Refusal(undefined);
    const stream = new InputStream(this.#bytes);
    this.#bytes = undefined;
    return stream;
  }

  static finish(_body: IncomingBody): FutureTrailers {
    return new FutureTrailers();
  }
}

/** There are none, and that is known at once. */
export class FutureTrailers {
  #taken = false;

  subscribe(): Pollable {
    return new Pollable();
  }

  get(): { readonly tag: 'ok'; readonly val: Result<undefined> } | { readonly tag: 'err' } {
    if (this.#taken) return { tag: 'err' };
    this.#taken = true;
    return { tag: 'ok', val: { tag: 'ok', val: undefined } };
  }
}

export class OutgoingBody {
  readonly parts: Uint8Array[] = [];
  finished = false;
  #stream: OutputStream | undefined;
  readonly #taken: (bytes: number) => void;

  /** `taken` throws when it is too much. */
  constructor(taken: (bytes: number) => void) {
    this.#taken = taken;
  }

  write(): OutputStream {
    if (this.#stream) throw new Refusal(undefined);
    this.#stream = new OutputStream((bytes) => {
      this.#taken(bytes.length);
      this.parts.push(bytes);
    });
    return this.#stream;
  }

  /** Trailers have no place in a Lambda answer. */
  static finish(body: OutgoingBody, _trailers: Fields | undefined): void {
    body.#stream?.end();
    body.finished = true;
  }
}

const MIN_STATUS = 100;
const MAX_STATUS = 999;

/** What a component sends. A request is never sent: what it is made of is kept, so that it can be read back. */
function outgoing(taken: (bytes: number) => void) {
  class OutgoingMessage {
    readonly #headers: Fields;
    sent: OutgoingBody | undefined;

    constructor(headers: Fields) {
      this.#headers = headers.frozen();
    }

    headers(): Fields {
      return this.#headers;
    }

    body(): OutgoingBody {
      if (this.sent) throw new Refusal(undefined);
      this.sent = new OutgoingBody(taken);
      return this.sent;
    }
  }

  class OutgoingResponse extends OutgoingMessage {
    status = 200;

    statusCode(): number {
      return this.status;
    }

    setStatusCode(status: number): void {
      if (status < MIN_STATUS || status > MAX_STATUS) throw new Refusal(undefined);
      this.status = status;
    }
  }

  class OutgoingRequest extends OutgoingMessage {
    #method: Variant = { tag: 'get' };
    readonly #path = kept<string>();
    readonly #scheme = kept<Variant>();
    readonly #authority = kept<string>();
    readonly pathWithQuery = this.#path.get;
    readonly setPathWithQuery = this.#path.set;
    readonly scheme = this.#scheme.get;
    readonly setScheme = this.#scheme.set;
    readonly authority = this.#authority.get;
    readonly setAuthority = this.#authority.set;

    method(): Variant {
      return this.#method;
    }

    setMethod(method: Variant): void {
      if (method.tag === 'other' && !TOKEN.test(String(method.val))) throw new Refusal(undefined);
      this.#method = method;
    }
  }

  return { OutgoingResponse, OutgoingRequest };
}

class RequestOptions {
  readonly #connect = kept<bigint>();
  readonly #firstByte = kept<bigint>();
  readonly #betweenBytes = kept<bigint>();
  readonly connectTimeout = this.#connect.get;
  readonly setConnectTimeout = this.#connect.set;
  readonly firstByteTimeout = this.#firstByte.get;
  readonly setFirstByteTimeout = this.#firstByte.set;
  readonly betweenBytesTimeout = this.#betweenBytes.get;
  readonly setBetweenBytesTimeout = this.#betweenBytes.set;
}

/** What is taken as it comes, and given back. */
function kept<T>() {
  let value: T | undefined;
  return {
    get: (): T | undefined => value,
    set: (given: T | undefined): void => {
      value = given;
    },
  };
}

type Response = InstanceType<ReturnType<typeof outgoing>['OutgoingResponse']>;

/** Where a component puts its answer. */
export class ResponseOutparam {
  answer: Result<Response> | undefined;

  static set(param: ResponseOutparam, response: Result<Response>): void {
    param.answer = response;
  }
}

/** What `wasi:http` exports to components. `taken` hears of each write to an answer, and throws when they are too much. */
export function httpInterfaces(taken: (bytes: number) => void, refused: (what: string) => void): Record<string, object> {
  const types = {
    Fields,
    IncomingRequest,
    IncomingBody,
    IncomingResponse: Absent,
    FutureTrailers,
    FutureIncomingResponse: Absent,
    OutgoingBody,
    ...outgoing(taken),
    RequestOptions,
    ResponseOutparam,
    httpErrorCode: () => undefined,
  };
  const handle = (): never => {
    refused('outgoing HTTP');
    throw new Refusal({ tag: 'HTTP-request-denied' });
  };
  return { 'wasi:http/types': types, 'wasi:http/outgoing-handler': { handle } };
}

export class NoAnswer extends Error {}

/** Throws NoAnswer: there is none, or no whole one. */
export function answerOf({ answer }: ResponseOutparam): HttpAnswer {
  if (!answer) throw new NoAnswer('The component set no response');
  if (answer.tag === 'err') {
    const { tag, val } = answer.val;
    throw new NoAnswer(`The component answered with the error ${tag}${typeof val === 'string' ? `: ${val}` : ''}`);
  }
  const { status, sent } = answer.val;
  if (sent && !sent.finished) throw new NoAnswer("The component did not finish its response's body");
  return { status, headers: answer.val.headers().entries(), parts: sent?.parts ?? [] };
}
