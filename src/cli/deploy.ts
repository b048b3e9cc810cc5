/** `hearth deploy`: a directory becomes a function. Only what differs is changed, so deploying twice does nothing the second time. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { buildProject, readProject } from './build/mod.ts';
import type { Built, Project } from './build/mod.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { findLayerArn } from './lambda-layers.ts';
import { FUNCTIONS, change, findConfiguration, findUrl, functionPath, urlPath } from './lambda.ts';
import type { FunctionConfiguration, UrlConfig } from './lambda.ts';
import { bytesText } from './text.ts';

export async function deploy(context: Context, directory: string, options: { readonly name?: string }): Promise<void> {
  const { out, client } = context;
  const startMs = performance.now();
  const read = await readProject(directory);
  const project = options.name === undefined ? read : { ...read, name: options.name };
  const built = await out.progress(`bundling ${project.name}`, buildProject(project));
  for (const warning of built.warnings) out.warn(warning);
  const { state, changed } = await out.progress(`deploying ${project.name}`, putFunction(client, project, built));
  const url = await putUrl(client, project);
  const ms = Math.round(performance.now() - startMs);
  const value = {
    name: project.name,
    arn: state.FunctionArn,
    url: url ?? null,
    codeSha256: state.CodeSha256,
    codeBytes: built.zip.length,
    changed,
    ms,
  };
  out.result(value, () => {
    const what = changed.length === 0 ? 'is unchanged' : changed.includes('created') ? 'created' : `updated (${changed.join(', ')})`;
    const head = `${out.paint.bold(project.name)} ${what}  ${out.paint.dim(`${project.runtime}, ${bytesText(built.zip.length)}, ${ms} ms`)}`;
    return url === undefined ? head : `${head}\n${out.paint.green(url)}`;
  });
}

type Change = 'created' | 'code' | 'configuration';

async function putFunction(
  client: Client,
  project: Project,
  built: Built,
): Promise<{ state: FunctionConfiguration; changed: readonly Change[] }> {
  const now = await findConfiguration(client, project.name);
  const code = { ZipFile: built.zip.toString('base64') };
  const attached = now?.Layers?.map(({ Arn }) => Arn) ?? [];
  const layers = await Promise.all(project.layers.map((layer) => findLayerArn(client, layer, attached)));
  const configuration = configurationOf(project, built.handler);
  if (!now) {
    // The API wants a role; nothing here assumes one.
    const role = 'arn:aws:iam::000000000000:role/hearth';
    const body = { FunctionName: project.name, Code: code, Role: role, PackageType: 'Zip', ...configuration, Layers: layers };
    return { state: await change(client, { method: 'POST', path: FUNCTIONS, body }), changed: ['created'] };
  }
  let state = now;
  const changed: Change[] = [];
  const sameLayers = isDeepStrictEqual(attached, layers);
  if (!sameLayers || !sameConfiguration(now, configuration)) {
    // Left out where they stay: one that was deleted meanwhile may be kept, but not be asked for.
    const body = { ...configuration, ...(!sameLayers && { Layers: layers }) };
    state = await change(client, { method: 'PUT', path: functionPath(project.name, '/configuration'), body });
    changed.push('configuration');
  }
  if (now.CodeSha256 !== createHash('sha256').update(built.zip).digest('base64')) {
    state = await change(client, { method: 'PUT', path: functionPath(project.name, '/code'), body: code });
    changed.unshift('code');
  }
  return { state, changed };
}

type Configuration = ReturnType<typeof configurationOf>;

const configurationOf = (project: Project, handler: string) => ({
  Runtime: project.runtime,
  Handler: handler,
  Description: project.description ?? '',
  MemorySize: project.memory,
  Timeout: project.timeout,
  EphemeralStorage: { Size: project.tmp },
  Environment: { Variables: project.environment },
});

const sameConfiguration = (now: FunctionConfiguration, wanted: Configuration): boolean =>
  now.Runtime === wanted.Runtime &&
  now.Handler === wanted.Handler &&
  (now.Description ?? '') === wanted.Description &&
  now.MemorySize === wanted.MemorySize &&
  now.Timeout === wanted.Timeout &&
  (now.EphemeralStorage?.Size ?? 512) === wanted.EphemeralStorage.Size &&
  now.Environment?.Error === undefined &&
  isDeepStrictEqual({ ...now.Environment?.Variables }, { ...wanted.Environment.Variables });

async function putUrl(client: Client, project: Project): Promise<string | undefined> {
  const path = urlPath(project.name);
  const now = await findUrl(client, project.name);
  if (project.url === undefined) {
    if (now) await client.send({ method: 'DELETE', path });
    return undefined;
  }
  const body = { AuthType: project.url.auth, InvokeMode: project.url.invokeMode, Cors: corsOf(project.url.cors) };
  if (
    now &&
    now.AuthType === body.AuthType &&
    (now.InvokeMode ?? 'BUFFERED') === body.InvokeMode &&
    isDeepStrictEqual({ ...now.Cors }, { ...body.Cors })
  ) {
    return now.FunctionUrl;
  }
  return (await client.call<UrlConfig>({ method: now ? 'PUT' : 'POST', path, body })).FunctionUrl;
}

/** As the Lambda API spells it: each name with a capital. An update without any takes the old ones away. */
function corsOf(cors: NonNullable<Project['url']>['cors']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(cors ?? {}).map(([name, value]) => [`${name[0]!.toUpperCase()}${name.slice(1)}`, value]));
}
