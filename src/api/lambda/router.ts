import type { Operation } from './operation.ts';

export type Route = { readonly operation: Operation; readonly params: Readonly<Record<string, string>> };

/** Finds the operation of a method and a path (without the query). A trailing slash makes no difference: older SDKs send one. */
export function createRouter(operations: readonly Operation[]): (method: string, path: string) => Route | undefined {
  const templates = operations.map((operation) => ({ operation, segments: operation.path.split('/') }));
  return (method, path) => {
    const segments = (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path).split('/');
    for (const { operation, segments: template } of templates) {
      if (operation.method !== method || template.length !== segments.length) continue;
      const params = match(template, segments);
      if (params) return { operation, params };
    }
    return undefined;
  };
}

function match(template: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [i, expected] of template.entries()) {
    const segment = segments[i]!;
    if (!expected.startsWith('{')) {
      if (segment !== expected) return undefined;
      continue;
    }
    const value = decode(segment);
    if (value === undefined || value === '') return undefined;
    params[expected.slice(1, -1)] = value;
  }
  return params;
}

/** Undefined for a broken percent-encoding. */
export function decode(segment: string): string | undefined {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
