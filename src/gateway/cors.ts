/**
 * Cross-origin access as configured at a function URL. Preflight requests are answered here and don't reach the function; in other
 * answers what is configured goes before what the function says.
 */
import type { UrlCors } from './route.ts';

/** Headers for the answer to a preflight request: without an allowed origin none. */
export function preflightHeaders(cors: UrlCors, origin: string): string[] {
  const headers = corsHeaders(cors, origin);
  if (!allows(cors, origin)) return headers;
  const list = (name: string, values: readonly string[] | undefined) => {
    if (values && values.length > 0) headers.push(name, values.join(','));
  };
  list('access-control-allow-methods', cors.allowMethods);
  list('access-control-allow-headers', cors.allowHeaders);
  if (cors.maxAgeSeconds !== undefined) headers.push('access-control-max-age', String(cors.maxAgeSeconds));
  return headers;
}

/** Headers for any answer to a request with this origin. */
export function corsHeaders(cors: UrlCors, origin: string): string[] {
  // Caches have to know that the answer depends on who asked, also when it was refused.
  const headers = ['vary', 'Origin'];
  if (!allows(cors, origin)) return headers;
  // With credentials browsers take no star.
  headers.push('access-control-allow-origin', cors.allowCredentials !== true && cors.allowOrigins?.includes('*') ? '*' : origin);
  if (cors.allowCredentials === true) headers.push('access-control-allow-credentials', 'true');
  if (cors.exposeHeaders && cors.exposeHeaders.length > 0) headers.push('access-control-expose-headers', cors.exposeHeaders.join(','));
  return headers;
}

/** Adds them, instead of those of the same names that the function gave. */
export function withCors(headers: string[], extra: readonly string[]): string[] {
  const names = new Set(extra.filter((_, i) => i % 2 === 0 && extra[i] !== 'vary'));
  const out: string[] = [];
  for (let i = 0; i < headers.length; i += 2) if (!names.has(headers[i]!)) out.push(headers[i]!, headers[i + 1]!);
  return [...out, ...extra];
}

function allows(cors: UrlCors, origin: string): boolean {
  return (cors.allowOrigins ?? []).some((allowed) => allowed === '*' || allowed === origin || matchesSubdomain(allowed, origin));
}

/** `https://*.example.com` */
function matchesSubdomain(allowed: string, origin: string): boolean {
  const star = allowed.indexOf('*');
  if (star === -1) return false;
  const before = allowed.slice(0, star);
  const after = allowed.slice(star + 1);
  return origin.length > allowed.length - 1 && origin.startsWith(before) && origin.endsWith(after);
}
