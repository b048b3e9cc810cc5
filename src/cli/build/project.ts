import { access, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { HearthError, LIMITS, runtimeFamily } from '../../kernel/mod.ts';
import type { RuntimeFamily } from '../../kernel/mod.ts';
import { WEB_PORT } from '../../protocol/mod.ts';
import { scalingSchema } from './project-scaling.ts';

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

const words = z.array(z.string()).max(1_500).optional();

/** `name`: which one, of several in the archive. The others take the place of what the image says. */
const imageSchema = z.strictObject({
  archive: z.string(),
  name: z.string().optional(),
  entryPoint: words,
  command: words,
  workingDirectory: z.string().max(1_000).optional(),
});
export type ProjectImage = z.infer<typeof imageSchema>;

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
  /** The archive of a container image, relative to hearth.json: it is the function then, and there is nothing else to ship. */
  image: z.union([z.string().transform((archive) => ({ archive })), imageSchema]).optional(),
  /** The port at which the program serves HTTP: a container image, or a custom runtime. */
  web: z.int().min(1).max(65_535).optional(),
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
  scaling: scalingSchema.optional(),
  /** false: no function URL. */
  url: z.union([z.boolean(), urlSchema]).default(true),
});

export type Project = Omit<z.infer<typeof projectSchema>, 'entry' | 'handler' | 'image' | 'include' | 'url' | 'web'> & {
  /** Absolute. */
  readonly directory: string;
  /** Of what is bundled; undefined: the runtime has no use for that, and `include` is all there is. */
  readonly entry: string | undefined;
  readonly handler: string;
  readonly include: readonly string[];
  /** Its archive is absolute. */
  readonly image?: ProjectImage;
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
  const given = parseJson(path, text);
  const parsed = projectSchema.safeParse(given);
  if (!parsed.success) throw new HearthError('BadUsage', `${path} is wrong:\n${z.prettifyError(parsed.error)}`);
  const { entry, url, handler, include, web, image, ...rest } = parsed.data;
  const environment = web === undefined ? rest.environment : { ...rest.environment, [WEB_PORT]: String(web) };
  const project = { ...rest, environment, directory: root, url: urlOf(url) };
  if (image) {
    const surplus = ['runtime', 'entry', 'handler', 'include', 'external', 'layers', 'fromLayers'].filter((field) => field in given);
    if (surplus.length > 0) throw new HearthError('BadUsage', `${path}: "${surplus[0]}" has no meaning beside "image"`);
    return { ...project, runtime: '', entry, handler: '', include: [], image: { ...image, archive: resolve(root, image.archive) } };
  }
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

function parseJson(path: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
    throw new Error('there is no object in it');
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

/** A function of an image and nothing else. Throws HearthError `BadUsage`. */
export function imageProject(
  directory: string,
  archive: string,
  { name, web }: { readonly name?: string; readonly web?: number },
): Project {
  const own = basename(archive)
    .replace(/(\.(tar|tgz|gz|zst|oci))+$/, '')
    .replaceAll(/[^a-zA-Z0-9-_]+/g, '-')
    .slice(0, 64);
  const parsed = projectSchema.safeParse({ name: name ?? own, ...(web !== undefined && { web }) });
  if (!parsed.success) throw new HearthError('BadUsage', z.prettifyError(parsed.error));
  const { entry: _, url, include: _all, web: port, ...rest } = parsed.data;
  const environment = port === undefined ? {} : { [WEB_PORT]: String(port) };
  return {
    ...rest,
    environment,
    directory,
    url: urlOf(url),
    runtime: '',
    entry: undefined,
    handler: '',
    include: [],
    image: { archive: resolve(directory, archive) },
  };
}

function urlOf(url: z.infer<typeof projectSchema>['url']): Project['url'] {
  if (url === false) return undefined;
  return url === true ? { auth: 'NONE', invokeMode: 'BUFFERED' } : url;
}
