/** `hearth deploy`: a directory becomes a function. Only what differs is changed, so deploying twice does nothing the second time. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { buildProject, imageProject, readProject, runBuildCommand } from './build/mod.ts';
import type { Project, ProjectImage } from './build/mod.ts';
import { HearthError } from '../kernel/mod.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { checkScaling, deployScaling } from './deploy-scaling.ts';
import { sendImage } from './images.ts';
import { findLayerArn } from './lambda-layers.ts';
import { FUNCTIONS, change, findConfiguration, findUrl, functionPath, urlPath } from './lambda.ts';
import type { FunctionConfiguration, ImageConfig, UrlConfig } from './lambda.ts';
import type { ScaleOptions } from './scaling-settings.ts';
import { bytesText } from './text.ts';

export type DeployOptions = ScaleOptions & { readonly name?: string; readonly image?: string; readonly web?: string };

/** `target`: the directory of the project; with the option `image` the function's name, if it is not to be the archive's. */
export async function deploy(context: Context, target: string, options: DeployOptions): Promise<void> {
  const { out, client } = context;
  const startMs = performance.now();
  const project = await projectOf(context, target, options);
  checkScaling(project, options);
  const source = project.image ? await imageSource(context, project, project.image) : await packageSource(context, project);
  const { state, changed } = await out.progress(`deploying ${project.name}`, putFunction(client, project, source));
  if (await deployScaling(client, state, project, options)) changed.push('scaling');
  const url = await putUrl(client, project);
  const ms = Math.round(performance.now() - startMs);
  const value = {
    name: project.name,
    arn: state.FunctionArn,
    url: url ?? null,
    codeSha256: state.CodeSha256,
    codeBytes: source.bytes,
    changed,
    ms,
  };
  out.result(value, () => {
    const what = changed.length === 0 ? 'is unchanged' : changed.includes('created') ? 'created' : `updated (${changed.join(', ')})`;
    const head = `${out.paint.bold(project.name)} ${what}  ${out.paint.dim(`${source.kind}, ${bytesText(source.bytes)}, ${ms} ms`)}`;
    return url === undefined ? head : `${head}\n${out.paint.green(url)}`;
  });
}

async function projectOf({ directory }: Context, target: string, { name, image, web }: DeployOptions): Promise<Project> {
  if (image === undefined) {
    if (web !== undefined) throw new HearthError('BadUsage', '--web goes with --image; in a project it is "web" in hearth.json');
    const project = await readProject(target || '.');
    return name === undefined ? project : { ...project, name };
  }
  const wanted = name ?? (target || undefined);
  return imageProject(directory, image, { ...(wanted !== undefined && { name: wanted }), ...(web !== undefined && { web: Number(web) }) });
}

/** What is to be the function's code, and what of its configuration comes with it. */
type Source = {
  readonly kind: string;
  readonly code: { readonly ZipFile: string } | { readonly ImageUri: string };
  readonly codeSha256: string;
  readonly bytes: number;
  readonly configuration: { readonly Runtime: string; readonly Handler: string } | { readonly ImageConfig: ImageConfig };
};

async function packageSource({ out }: Context, project: Project): Promise<Source> {
  const { zip, handler, warnings } = await out.progress(`bundling ${project.name}`, buildProject(project));
  for (const warning of warnings) out.warn(warning);
  return {
    kind: project.runtime,
    code: { ZipFile: zip.toString('base64') },
    codeSha256: createHash('sha256').update(zip).digest('base64'),
    bytes: zip.length,
    configuration: { Runtime: project.runtime, Handler: handler },
  };
}

async function imageSource(
  context: Context,
  project: Project,
  { archive, name, entryPoint, command, workingDirectory }: ProjectImage,
): Promise<Source> {
  await runBuildCommand(project);
  const { image, bytes } = await sendImage(context, archive, name);
  const ImageConfig = {
    ...(entryPoint && { EntryPoint: entryPoint }),
    ...(command && { Command: command }),
    ...(workingDirectory !== undefined && { WorkingDirectory: workingDirectory }),
  };
  const { digest } = image;
  return {
    kind: 'image',
    code: { ImageUri: digest },
    codeSha256: digest.slice(digest.indexOf(':') + 1),
    bytes,
    configuration: { ImageConfig },
  };
}

type Change = 'created' | 'code' | 'configuration' | 'scaling';

async function putFunction(client: Client, project: Project, source: Source): Promise<{ state: FunctionConfiguration; changed: Change[] }> {
  const now = await findConfiguration(client, project.name);
  const { code } = source;
  const attached = now?.Layers?.map(({ Arn }) => Arn) ?? [];
  const layers = await Promise.all(project.layers.map((layer) => findLayerArn(client, layer, attached)));
  const configuration = configurationOf(project, source);
  if (!now) {
    // The API wants a role; nothing here assumes one.
    const role = 'arn:aws:iam::000000000000:role/hearth';
    const body = {
      FunctionName: project.name,
      Code: code,
      Role: role,
      PackageType: 'ImageUri' in code ? 'Image' : 'Zip',
      ...configuration,
      Layers: layers,
    };
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
  if (now.CodeSha256 !== source.codeSha256) {
    state = await change(client, { method: 'PUT', path: functionPath(project.name, '/code'), body: code });
    changed.unshift('code');
  }
  return { state, changed };
}

type Configuration = ReturnType<typeof configurationOf>;

const configurationOf = (project: Project, { configuration }: Source) => ({
  ...configuration,
  Description: project.description ?? '',
  MemorySize: project.memory,
  Timeout: project.timeout,
  EphemeralStorage: { Size: project.tmp },
  Environment: { Variables: project.environment },
});

const sameConfiguration = (now: FunctionConfiguration, wanted: Configuration): boolean =>
  ('ImageConfig' in wanted
    ? isDeepStrictEqual({ ...now.ImageConfigResponse?.ImageConfig }, wanted.ImageConfig)
    : now.Runtime === wanted.Runtime && now.Handler === wanted.Handler) &&
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
