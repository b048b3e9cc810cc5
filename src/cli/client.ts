/** The HTTP side of the command line: requests to a running Hearth, signed when there are credentials, failures as HearthErrors. */
import { CATALOGUE, HearthError } from '../kernel/mod.ts';
import type { ErrorCode } from '../kernel/mod.ts';
import { signerFrom } from './sign.ts';

export interface Client {
  /** A JSON request; resolves with the parsed body (undefined when empty). Throws HearthError with the platform's own code, or `Unreachable`. */
  call<T>(request: ApiRequest): Promise<T>;
  /** As `call`, but undefined where the platform says `ResourceNotFoundException`. */
  find<T>(request: ApiRequest): Promise<T | undefined>;
  /** Any request; resolves with the response if its status is below 400. */
  send(request: ApiRequest): Promise<Response>;
}

export type ApiRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Absolute, its parts encoded by the caller (`encodeURIComponent`). */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** An object is sent as JSON, a string or bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

export function createClient(options: { readonly endpoint: string; readonly environment: NodeJS.ProcessEnv }): Client {
  const sign = signerFrom(options.environment);

  async function send(request: ApiRequest): Promise<Response> {
    const url = new URL(request.path, options.endpoint);
    for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
    const body = bodyOf(request.body);
    const headers = { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...request.headers };
    const signed = sign({ method: request.method, url, headers, body: body ?? new Uint8Array() });
    const init: RequestInit = {
      method: request.method,
      headers: signed,
      ...(body && { body }),
      ...(request.signal && { signal: request.signal }),
    };
    const response = await fetch(url, init).catch((error: unknown) => {
      if (request.signal?.aborted) throw error;
      throw unreachable(options.endpoint, error);
    });
    if (response.status >= 400) throw await failureOf(response);
    return response;
  }

  async function call<T>(request: ApiRequest): Promise<T> {
    const response = await send(request);
    const text = await response.text();
    // The platform answers by its own documented shapes, which the caller names; validating them again would only restate them.
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  return {
    send,
    call,
    async find<T>(request: ApiRequest) {
      return call<T>(request).catch((error: unknown) => {
        if (error instanceof HearthError && error.code === 'ResourceNotFoundException') return undefined;
        throw error;
      });
    },
  };
}

function bodyOf(body: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (body === undefined) return undefined;
  if (body instanceof Uint8Array) return new Uint8Array(body);
  return new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
}

function unreachable(endpoint: string, error: unknown): HearthError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const detail = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
  return new HearthError(
    'Unreachable',
    `no Hearth answers at ${endpoint} (${detail}). Start one with "hearth up", or name another one with --endpoint or HEARTH_ENDPOINT`,
    { cause: error },
  );
}

/** The error a response describes: by `x-amzn-errortype` or the body, in the form that AWS's APIs share. */
async function failureOf(response: Response): Promise<HearthError> {
  const text = await response.text();
  const body = parsedObject(text);
  const type = response.headers.get('x-amzn-errortype') ?? stringOf(body['__type'] ?? body['code'] ?? body['Code']) ?? '';
  const name = type.split(':')[0]!.split('#').at(-1)!;
  const message = stringOf(body['message'] ?? body['Message']) ?? text.slice(0, 300);
  if (isCode(name)) return new HearthError(name, message);
  return new HearthError('Internal', `HTTP ${response.status}${name === '' ? '' : ` ${name}`}: ${message}`);
}

function parsedObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch (error) {
    // Not from Hearth itself, e.g. a proxy's page: the caller shows the text.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

const stringOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const isCode = (name: string): name is ErrorCode => Object.hasOwn(CATALOGUE, name);
