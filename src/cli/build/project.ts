import { access, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { HearthError, LIMITS, runtimeFamily } from '../../kernel/mod.ts';
import type { RuntimeFamily } from '../../kernel/mod.ts';

const origins = z.array(z.string()).optional();

const urlSchema = z.strictObject({
  auth: z.enum(['NONE', 'AWS_IAM']).default('NONE'),
  invokeMode: z.enum(['BUFFERED', 'RESPONSE_STREAM']).default('BUFFERED'),
  cors: z
    .strictObject({
      allowCredentials: z.boolean().optional(),
      allowHeaders: origins,
      allowMethods: origins,
      allowOrigins: origins,
      exposeHeaders: origins,
      maxAge: z.int().min(0).max(86_400).optional(),
    })
    .optional(),
});

/** `hearth.json`: what a directory is deployed as. Documented in docs/functions.md. */
const projectSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().regex(/^[a-zA-Z0-9-_]{1,64}$/, '1 to 64 letters, digits, - and _'),
  description: z.string().max(LIMITS.descriptionLength).optional(),
  runtime: z.string().default('nodejs26.x'),
  /** The source file, relative to hearth.json. Default: the first of index.ts, index.mts, index.js, index.mjs, src/index.ts. */
  entry: z.string().optional(),
  /** For Node the name of the exported function; for other runtimes what the Lambda API calls the handler. */
  handler: z.string().optional(),
  /** A command of the shell that is run in the project's directory before anything is packed. */
  build: z.string().optional(),
  /** What the bundle is written as. */
  format: z.enum(['esm', 'cjs']).default('esm'),
  memory: z.int().min(LIMITS.memoryMiB.min).max(LIMITS.memoryMiB.max).default(LIMITS.memoryMiB.default),
  timeout: z.int().min(LIMITS.timeoutSeconds.min).max(LIMITS.timeoutSeconds.max).default(LIMITS.timeoutSeconds.default),
  tmp: z.int().min(LIMITS.tmpMiB.min).max(LIMITS.tmpMiB.max).default(LIMITS.tmpMiB.default),
  environment: z.record(z.string().regex(/^[a-zA-Z]\w+$/, 'a letter, then letters, digits and _'), z.string()).default({}),
  /** Packages that are shipped as they are, with what they depend on, instead of bundled: those with native code. */
  external: z.array(z.string()).default([]),
  /** Packages that come from a layer: neither bundled nor shipped. */
  fromLayers: z.array(z.string()).default([]),
  /** Layers, in the order in which they are merged: NAME (its latest version), NAME:VERSION, or an ARN. */
  layers: z
    .array(
      z.string().regex(/^([a-zA-Z0-9-_]+(:[1-9]\d{0,9})?|arn:.+:layer:[a-zA-Z0-9-_]+:\d+)$/, 'NAME, NAME:VERSION or the ARN of a version'),
    )
    .max(LIMITS.layersPerFunction)
    .default([]),
  /** Files, as globs relative to hearth.json, shipped under their own paths: for Node further ones, for other runtimes all. */
  include: z.array(z.string()).optional(),
  /** false: no function URL. */
  url: z.union([z.boolean(), urlSchema]).default(true),
});

export type Project = Omit<z.infer<typeof projectSchema>, 'entry' | 'handler' | 'include' | 'url'> & {
  /** Absolute. */
  readonly directory: string;
  /** Of what is bundled; undefined: the runtime has no use for that, and `include` is all there is. */
  readonly entry: string | undefined;
  readonly handler: string;
  readonly include: readonly string[];
  readonly url: z.infer<typeof urlSchema> | undefined;
};

const ENTRIES = ['index.ts', 'index.mts', 'index.js', 'index.mjs', 'src/index.ts'];

/** Reads `hearth.json` in `directory`. Throws HearthError `BadUsage`, which names the field that is wrong. */
export async function readProject(directory: string): Promise<Project> {
  const root = resolve(directory);
  const path = join(directory, 'hearth.json');
  const text = await readFile(join(root, 'hearth.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new HearthError('BadUsage', `there is no ${path}. "hearth init NAME" makes a project that has one`);
  });
  const parsed = projectSchema.safeParse(parseJson(path, text));
  if (!parsed.success) throw new HearthError('BadUsage', `${path} is wrong:\n${z.prettifyError(parsed.error)}`);
  const { entry, url, handler, include, ...rest } = parsed.data;
  const project = { ...rest, directory: root, url: urlOf(url) };
  // A runtime that is not known here may be known to the platform: then its files are shipped as they are.
  const family = runtimeFamily(rest.runtime) ?? 'provided';
  if (family !== 'node') {
    if (entry !== undefined)
      throw new HearthError('BadUsage', `${path}: "entry" is for Node; ${rest.runtime} is shipped what "include" names`);
    return { ...project, entry, handler: handler ?? DEFAULTS[family].handler, include: include ?? DEFAULTS[family].include };
  }
  return { ...project, entry: await findEntry(root, path, entry), handler: handler ?? 'handler', include: include ?? [] };
}

/** Of runtimes whose functions are shipped as they are. */
const DEFAULTS: Readonly<Record<Exclude<RuntimeFamily, 'node'>, { readonly handler: string; readonly include: readonly string[] }>> = {
  python: { handler: 'index.handler', include: ['**/*.py'] },
  provided: { handler: 'bootstrap', include: ['bootstrap'] },
  wasm: { handler: 'main.wasm', include: ['main.wasm'] },
};

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HearthError('BadUsage', `${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

async function findEntry(root: string, path: string, entry: string | undefined): Promise<string> {
  for (const candidate of entry === undefined ? ENTRIES : [entry]) {
    const found = await access(join(root, candidate)).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  throw new HearthError(
    'BadUsage',
    `${path}: ${entry === undefined ? `none of ${ENTRIES.join(', ')} is there; name the source file in "entry"` : `the entry ${entry} is not there`}`,
  );
}

function urlOf(url: z.infer<typeof projectSchema>['url']): Project['url'] {
  if (url === false) return undefined;
  return url === true ? { auth: 'NONE', invokeMode: 'BUFFERED' } : url;
}
