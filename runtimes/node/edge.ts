/**
 * Edge modules: `export default { fetch(request, env, ctx) }`, as Cloudflare Workers, Deno and Bun take them. An event that came by HTTP
 * becomes a Request, and the Response an answer.
 */
import type { Background } from './background.ts';
import { toRequest } from './edge-request.ts';
import { sendResponse } from './edge-response.ts';
import type { Output } from './edge-response.ts';
import type { Handler } from './load.ts';

export type EdgeModule = { fetch(request: Request, env: Readonly<Record<string, string>>, ctx: EdgeContext): unknown };

export type EdgeContext = {
  /** Keeps the instance at work, after the answer too, until the promise has settled or the function's timeout has passed. */
  waitUntil(promise: unknown): void;
  /** Does nothing: there is no origin behind a function to pass a request on to. */
  passThroughOnException(): void;
};

const MARK = Symbol('edge module');
type Marked = { [MARK]?: true };

export const isEdgeModule = (value: unknown): value is EdgeModule =>
  typeof value === 'object' && value !== null && typeof (value as { fetch?: unknown }).fetch === 'function';

export const isEdgeHandler = (handler: Handler & Marked): boolean => handler[MARK] === true;

/** Takes the event, where a streamed answer goes, and what waits for promises. Resolves with an answer as a JSON text, unless it has been streamed. */
export function edgeHandler(module: EdgeModule): Handler {
  const variables = userVariables(process.env);
  const handler = async (event: unknown, output: Output, background: Background): Promise<string | undefined> => {
    const { request, format } = toRequest(event);
    const { method } = request;
    const ctx: EdgeContext = {
      waitUntil: (promise) => background.add(promise),
      passThroughOnException() {},
    };
    return sendResponse(await module.fetch(request, { ...variables }, ctx), { method, format, output });
  };
  return Object.assign(handler, { [MARK]: true }) as unknown as Handler;
}

/**
 * Has Node load what it has of the web, which takes a tenth of a second, and run it once: in the template, so that its instances need not. What
 * user code made of it stands.
 */
export async function loadWeb(): Promise<void> {
  const event = { rawPath: '/', headers: { host: 'localhost' }, body: 'x', requestContext: { http: { method: 'POST' } } };
  const output: Output = { begin() {}, write() {}, drained: () => Promise.resolve() };
  const { request, format } = toRequest(event);
  const response = Response.json(await request.text());
  await sendResponse(response, { method: 'POST', format, output });
}

/** What the platform itself sets for a function: the rest is the user's. */
const PLATFORM = new Set([
  ...['LANG', 'TZ', 'PATH', 'LD_LIBRARY_PATH', 'NODE_PATH', 'TMPDIR', 'LAMBDA_TASK_ROOT', 'LAMBDA_RUNTIME_DIR'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_USE_ENV_PROXY'],
  ...['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_ENDPOINT_URL'],
  ...['AWS_EXECUTION_ENV', '_HANDLER'],
]);

export function userVariables(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !PLATFORM.has(name) && !name.startsWith('AWS_LAMBDA_')) variables[name] = value;
  }
  return variables;
}
