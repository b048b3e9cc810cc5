import { resolveVersion } from '../control/mod.ts';
import type { FunctionEntry, FunctionTable, FunctionVersion, UrlEntry } from '../control/mod.ts';
import type { Deployment } from '../engine/mod.ts';
import type { UrlRoute, UrlRoutes } from '../gateway/mod.ts';

export type UrlRoutesOptions = {
  /** The table of now. */
  readonly table: () => FunctionTable;
  readonly deploymentOf: (entry: FunctionEntry, version: FunctionVersion) => Deployment;
  /** From 0 up to 1: which version an alias with weights means this time. */
  readonly fraction: () => number;
};

/** Function URLs out of the table of functions. The route of an entry is made once, as long as it means the same version. */
export function createUrlRoutes({ table, deploymentOf, fraction }: UrlRoutesOptions): UrlRoutes {
  const known = new WeakMap<UrlEntry, { readonly version: FunctionVersion; readonly route: UrlRoute }>();
  return {
    byUrlId(urlId) {
      const found = table().byUrlId.get(urlId);
      if (!found) return undefined;
      const version = resolveVersion(found.entry, found.url.qualifier, fraction);
      const last = known.get(found);
      if (last?.version === version) return last.route;
      const { invokeMode, authType, cors } = found.url;
      const route: UrlRoute = { deployment: deploymentOf(found.entry, version), invokeMode, authType, ...(cors && { cors }) };
      known.set(found, { version, route });
      return route;
    },
  };
}
