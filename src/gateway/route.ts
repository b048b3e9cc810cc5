import type { Deployment } from '../engine/mod.ts';

/** Function URLs as the gateway sees them. Read anew for each request; must answer from memory. */
export interface UrlRoutes {
  /** Undefined: no function has this URL. Throws HearthError when its function cannot be invoked now. */
  byUrlId(urlId: string): UrlRoute | undefined;
}

export type UrlRoute = {
  readonly deployment: Deployment;
  readonly invokeMode: 'BUFFERED' | 'RESPONSE_STREAM';
  readonly authType: 'NONE' | 'AWS_IAM';
  readonly cors?: UrlCors;
};

export type UrlCors = {
  readonly allowCredentials?: boolean;
  readonly allowHeaders?: readonly string[];
  readonly allowMethods?: readonly string[];
  readonly allowOrigins?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAgeSeconds?: number;
};

export type UrlAddress = {
  readonly urlId: string;
  /** The path that the function sees, as sent. */
  readonly path: string;
  readonly query: string;
};

const PATH_PREFIX = '/_url/';

/**
 * Whether a request is for a function URL: by its host, `<url-id>.lambda-url.<region>.<anything>`, or by its path, `/_url/<url-id>/...`,
 * which the function doesn't get to see.
 */
export function urlAddress(host: string, target: string): UrlAddress | undefined {
  const dot = host.indexOf('.');
  if (dot > 0 && host.startsWith('lambda-url.', dot + 1)) return address(host.slice(0, dot), originForm(target));
  if (!target.startsWith(PATH_PREFIX)) return undefined;
  const end = idEnd(target);
  const rest = target.slice(end);
  return address(target.slice(PATH_PREFIX.length, end), rest.startsWith('/') ? rest : `/${rest}`);
}

function address(urlId: string, target: string): UrlAddress {
  const mark = target.indexOf('?');
  if (mark === -1) return { urlId, path: target, query: '' };
  return { urlId, path: target.slice(0, mark), query: target.slice(mark + 1) };
}

function idEnd(target: string): number {
  for (let at = PATH_PREFIX.length; at < target.length; at++) if (target[at] === '/' || target[at] === '?') return at;
  return target.length;
}

/** A proxy's client sends the whole URL, `OPTIONS *` no path at all. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const rest = /^[a-z]+:\/\/[^/?]*(.*)$/is.exec(target)?.[1] ?? '';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
