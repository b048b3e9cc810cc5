/** Finds and loads the function that a handler string names, as Lambda's Node.js runtime does. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { edgeHandler, isEdgeModule } from './edge.ts';
import { RuntimeError } from './errors.ts';

export type Handler = (event: unknown, ...rest: unknown[]) => unknown;

/** `handler`: `directory/file.export` or `file.object.export`, below `taskRoot`. Throws RuntimeError, or what the module itself threw. */
export async function loadHandler(taskRoot: string, handler: string): Promise<Handler> {
  const parsed = parse(handler);
  const { path } = parsed;
  const loaded = await loadModule(taskRoot, parsed).catch((error: unknown) => {
    throw explain(error);
  });
  const { default: main } = (loaded ?? {}) as { default?: unknown };
  // A file by itself stands for what it exports by default, and as CommonJS for all that it exports.
  const found = path.length === 0 ? (main ?? loaded) : (property(loaded, path) ?? property(main, path));
  if (isEdgeModule(found)) return edgeHandler(found);
  if (path.length === 0) throw withoutFunction(handler);
  if (found === undefined || found === null) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof found !== 'function') throw new RuntimeError('HandlerNotFound', `${handler} is not a function`);
  return found as Handler;
}

const withoutFunction = (handler: string): RuntimeError =>
  new RuntimeError(
    'MalformedHandlerName',
    `Bad handler: '${handler}' has no '.' between its file and its function, and is no file whose default export has a function 'fetch'`,
  );

/** `path`: from what the file exports to the function; empty: the file stands for its default export. */
type Parsed = { readonly handler: string; readonly directory: string; readonly file: string; readonly path: readonly string[] };

function parse(handler: string): Parsed {
  if (handler.includes('..')) {
    throw new RuntimeError(
      'MalformedHandlerName',
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const last = basename(handler);
  const dot = last.indexOf('.');
  if (dot < 0) return { handler, directory: handler.slice(0, handler.length - last.length), file: last, path: [] };
  return { handler, directory: handler.slice(0, handler.indexOf(last)), file: last.slice(0, dot), path: last.slice(dot + 1).split('.') };
}

async function loadModule(taskRoot: string, { handler, directory, file, path }: Parsed): Promise<unknown> {
  const base = resolve(taskRoot, directory, file);
  const require = createRequire(join(taskRoot, '/'));
  if (isFile(base)) return require(base);
  const esm = isModulePackage(dirname(base));
  for (const extension of ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts']) {
    if (!existsSync(base + extension)) continue;
    const imported = extension[1] === 'm' || (esm && extension[1] !== 'c');
    return imported ? import(pathToFileURL(base + extension).href) : requireOrImport(require, base + extension);
  }
  if (existsSync(base)) return require(base);
  if (path.length === 0) throw withoutFunction(handler);
  // A package in node_modules of the code, or of a layer by NODE_PATH.
  return require(require.resolve(file, { paths: [taskRoot, resolve(taskRoot, directory)] }));
}

/** A file without "type" may still be written as an ES module; with a top-level await only `import` loads it. */
function requireOrImport(require: NodeJS.Require, path: string): unknown {
  try {
    return require(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException | null)?.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
    return import(pathToFileURL(path).href);
  }
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Whether .js files in `folder` are ES modules: by the nearest package.json; none is looked for above node_modules. */
function isModulePackage(folder: string): boolean {
  for (let at = folder; basename(at) !== 'node_modules'; at = dirname(at)) {
    const manifest = join(at, 'package.json');
    if (existsSync(manifest)) return isModuleManifest(manifest);
    if (at === dirname(at)) break;
  }
  return false;
}

function isModuleManifest(manifest: string): boolean {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { type?: unknown } | null)?.type === 'module';
  } catch (error) {
    console.warn(`${manifest} cannot be read, it will be ignored for ES module detection purposes.`, error);
    return false;
  }
}

/** By index: the module may have changed what arrays can do. */
function property(root: unknown, path: readonly string[]): unknown {
  let at = root;
  for (let i = 0; i < path.length && at !== undefined && at !== null; i++) at = (at as Record<string, unknown>)[path[i]!];
  return at;
}

const NOT_ERASABLE = 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX';
const MISSING_MODULE = new Set(['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND']);

function explain(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === NOT_ERASABLE || code === 'ERR_INVALID_TYPESCRIPT_SYNTAX' || error instanceof SyntaxError) {
    const hint =
      code === NOT_ERASABLE ? '. Types are only erased here: bundle the function, or write it without enums, namespaces and the like' : '';
    return renamed('UserCodeSyntaxError', error, `${error.name}: ${error.message}${hint}`);
  }
  if (code !== undefined && MISSING_MODULE.has(code)) return renamed('ImportModuleError', error, `Error: ${error.message}`);
  return error;
}

function renamed(type: string, cause: Error, message: string): RuntimeError {
  const error = new RuntimeError(type, message, { cause });
  // The place in the user's code is what helps, not the place in the loader.
  error.stack = `${error.name}: ${error.message}\n${String(cause.stack)}`;
  return error;
}
