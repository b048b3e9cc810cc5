/**
 * Without authentication, loopback is the border, and the browser of whoever develops here stands inside it. Two ways lead from a foreign
 * page to a local port: a name that is pointed at 127.0.0.1 (DNS rebinding; the Host header shows it) and a request across origins
 * (Origin and Sec-Fetch-Site show it). The control APIs refuse both. Pages that come from this very port are functions' own, and as foreign.
 */
import { HearthError } from '../../kernel/mod.ts';

export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** Throws `ListenRefused`. */
export function checkListen(options: { readonly host: string; readonly auth: boolean }): void {
  if (options.auth || isLoopback(options.host)) return;
  throw new HearthError(
    'ListenRefused',
    `Listening at ${options.host} would let anyone who reaches this machine run code on it, because requests are not authenticated. ` +
      'Leave --host out to listen at 127.0.0.1, or add --auth and make access keys with `hearth keys create`.',
  );
}

export type BrowserHeaders = {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
  readonly 'sec-fetch-mode'?: string | string[] | undefined;
};

/** Throws `AccessDeniedException` for what a foreign page in a browser may have sent. SDKs and CLIs send none of these headers. */
export function checkNotForeign(method: string, headers: BrowserHeaders): void {
  const host = hostName(headers.host ?? '');
  if (!isLoopback(host) && !host.endsWith('.localhost'))
    throw new HearthError(
      'AccessDeniedException',
      `The control APIs answer to loopback names only, not to '${host}'. Use 127.0.0.1 or localhost, or start with --auth.`,
    );
  if (headers.origin !== undefined && !isLocalOrigin(headers.origin, portOf(headers.host ?? '')))
    throw new HearthError('AccessDeniedException', `The control APIs take no requests from the page at '${headers.origin}'.`);
  if (headers['sec-fetch-site'] === 'same-origin')
    throw new HearthError('AccessDeniedException', 'The control APIs take no requests from pages of functions.');
  const navigates = method === 'GET' && headers['sec-fetch-mode'] === 'navigate';
  if (headers['sec-fetch-site'] === 'cross-site' && !navigates && headers.origin === undefined)
    throw new HearthError('AccessDeniedException', 'The control APIs take no requests from pages of other sites.');
}

/** A page of a function URL (`x.lambda-url.y.localhost`) is a function's own: not let in, nor is one at this port, where functions answer below `/_url/`. */
function isLocalOrigin(origin: string, ownPort: string): boolean {
  const url = URL.parse(origin);
  return url !== null && isLoopback(url.hostname) && (url.port || '80') !== ownPort;
}

const portOf = (host: string): string => /:(\d+)$/.exec(host)?.[1] ?? '80';

function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}
