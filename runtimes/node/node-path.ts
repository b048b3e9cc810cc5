/** Packages of layers, for `import`. Node looks into NODE_PATH for `require` only; Lambda's runtimes do so for both. */
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const MISSING = 'ERR_MODULE_NOT_FOUND';
const BARE = /^(?!\.{0,2}\/|[a-z][a-z+.-]*:)/i;

/** What is found without it is found as before, and where no such directory exists nothing changes. */
export function followNodePath(environment: Readonly<Record<string, string | undefined>>): void {
  const directories = (environment['NODE_PATH'] ?? '').split(':').filter((path) => basename(path) === 'node_modules' && existsSync(path));
  // For who asks from beside it, such a directory is the nearest one.
  const beside = directories.map((path) => pathToFileURL(join(dirname(path), 'index.mjs')).href);
  if (beside.length === 0) return;
  registerHooks({
    resolve(specifier, context, next) {
      let missing: unknown;
      for (const parentURL of [context.parentURL, ...beside]) {
        try {
          return next(specifier, { ...context, parentURL });
        } catch (error) {
          if (codeOf(error) !== MISSING || !BARE.test(specifier)) throw error;
          missing ??= error;
        }
      }
      throw missing;
    },
  });
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;
