import {
  createFunction,
  deleteFunction,
  parseFunctionReference,
  resolveVersion,
  updateCode,
  updateConfiguration,
} from '../../control/mod.ts';
import type { FunctionCode, FunctionEntry, FunctionView, SettingsInput } from '../../control/mod.ts';
import { HearthError } from '../../kernel/mod.ts';
import type { ApiContext, ApiRequest, Operation, Reply } from './operation.ts';
import { NamespacedFunctionName } from './patterns.ts';
import { page, target, wholeFunction } from './reading.ts';
import { CreateFunctionBody, UpdateCodeBody, UpdateConfigurationBody } from './schemas.ts';
import type { CreateFunctionBody as CreateBody, SettingsBody } from './schemas.ts';
import { refuseUnsupportedCreation, refuseUnsupportedSettings, sourceOf } from './unsupported.ts';
import { check } from './validation.ts';
import { configurationOf } from './views.ts';

export const FUNCTION_OPERATIONS: readonly Operation[] = [
  { name: 'CreateFunction', method: 'POST', path: '/2015-03-31/functions', run: create },
  { name: 'ListFunctions', method: 'GET', path: '/2015-03-31/functions', run: list },
  { name: 'GetFunction', method: 'GET', path: '/2015-03-31/functions/{FunctionName}', run: get },
  { name: 'GetFunctionConfiguration', method: 'GET', path: '/2015-03-31/functions/{FunctionName}/configuration', run: getConfiguration },
  { name: 'UpdateFunctionCode', method: 'PUT', path: '/2015-03-31/functions/{FunctionName}/code', run: putCode },
  { name: 'UpdateFunctionConfiguration', method: 'PUT', path: '/2015-03-31/functions/{FunctionName}/configuration', run: putConfiguration },
  { name: 'DeleteFunction', method: 'DELETE', path: '/2015-03-31/functions/{FunctionName}', run: remove },
  // Where the Location in the answers of GetFunction and GetLayerVersion points to.
  { name: 'GetFunctionPackage', method: 'GET', path: '/2015-03-31/packages/{Sha256}', run: getPackage },
];

async function create(request: ApiRequest, { functions }: ApiContext): Promise<Reply> {
  const body = check(CreateFunctionBody, request.body);
  const { name, qualifier } = parseFunctionReference(body.FunctionName, functions.realm);
  if (qualifier !== undefined)
    throw new HearthError('InvalidParameterValueException', `A new function has no qualifier. Leave out '${qualifier}'.`);
  refuseUnsupportedCreation(body);
  checkPackageType(body);
  const architecture = body.Architectures?.[0];
  const view = await createFunction(functions, {
    name,
    settings: { ...settingsOf(body), role: body.Role, ...(architecture && { architecture }) },
    ...(body.Layers && { layers: body.Layers }),
    ...sourceOf({ ...body.Code, PublishTo: body.PublishTo }),
    ...(body.Tags && { tags: body.Tags }),
    publish: body.Publish ?? false,
  });
  // With Publish, Lambda answers with the version and the function's own ARN.
  return { status: 201, json: configurationOf(view.entry, view.version) };
}

/** In the words of the service. */
function checkPackageType({ PackageType = 'Zip', Code, ImageConfig, Runtime, Handler, Layers }: CreateBody): void {
  const wrong = (message: string) => new HearthError('InvalidParameterValueException', message);
  if (PackageType === 'Zip') {
    if (Code.ImageUri !== undefined) throw wrong("Please don't provide ImageUri when creating a function with packageType Zip.");
    if (ImageConfig !== undefined) throw wrong("Please don't provide ImageConfig when the intended function PackageType is Zip.");
    return;
  }
  if (Code.ImageUri === undefined) throw wrong('Please provide ImageUri when creating a function with packageType Image.');
  if (Runtime !== undefined || Handler !== undefined || Layers?.length)
    throw wrong("Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.");
}

function list({ query }: ApiRequest, { functions }: ApiContext): Reply {
  const all = query.get('FunctionVersion') === 'ALL';
  const sorted = [...functions.table.byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const { items, next } = all
    ? page(query, sorted.flatMap(versionsOf), ({ entry, version }) => `${entry.name} ${version.record.version.padStart(10, '0')}`)
    : page(query, sorted.map(latestOf), ({ entry }) => entry.name);
  const Functions = items.map(({ entry, version }) =>
    configurationOf(entry, version, { listed: true, qualifier: all ? version.record.version : undefined }),
  );
  return { status: 200, json: { Functions, ...next } };
}

const latestOf = (entry: FunctionEntry): FunctionView => ({ entry, version: entry.versions.get('$LATEST')! });
const versionsOf = (entry: FunctionEntry): FunctionView[] => [...entry.versions.values()].map((version) => ({ entry, version }));

function get(request: ApiRequest, context: ApiContext): Reply {
  const { entry, version, qualifier } = find(request, context);
  const { tags, reservedConcurrency } = entry.record;
  return {
    status: 200,
    json: {
      Configuration: configurationOf(entry, version, { qualifier, snapshot: context.snapshotOf(entry, version) }),
      Code: codeView(request, version.record.code),
      ...(Object.keys(tags).length > 0 && { Tags: tags }),
      ...(reservedConcurrency !== undefined && { Concurrency: { ReservedConcurrentExecutions: reservedConcurrency } }),
    },
  };
}

function codeView(request: ApiRequest, code: FunctionCode): object {
  if (!code.image) return { RepositoryType: 'S3', Location: packageLocation(request, code) };
  const { uri, digest } = code.image;
  return { RepositoryType: 'ECR', ImageUri: uri, ResolvedImageUri: uri.endsWith(digest) ? uri : `${uri}@${digest}` };
}

/** Where a package can be downloaded: `getPackage`. */
export const packageLocation = ({ host }: ApiRequest, { sha256 }: { readonly sha256: string }): string =>
  `http://${host}/2015-03-31/packages/${sha256}`;

function getConfiguration(request: ApiRequest, context: ApiContext): Reply {
  const { entry, version, qualifier } = find(request, context);
  return { status: 200, json: configurationOf(entry, version, { qualifier, snapshot: context.snapshotOf(entry, version) }) };
}

function find(request: ApiRequest, context: ApiContext): FunctionView & { readonly qualifier: string | undefined } {
  const { name, qualifier } = target(request, context, NamespacedFunctionName);
  const entry = context.functions.get(name, qualifier);
  // A share of a weighted alias is for invocations; here the alias means its main version.
  return { entry, version: resolveVersion(entry, qualifier, () => 1), qualifier };
}

async function getPackage({ params }: ApiRequest, { functions }: ApiContext): Promise<Reply> {
  const sha256 = params['Sha256']!;
  if (!functions.codeInUse().has(sha256)) throw new HearthError('ResourceNotFoundException', 'No function and no layer has this package.');
  return { status: 200, bytes: await functions.blobs.get(sha256), contentType: 'application/zip' };
}

async function putCode(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const name = wholeFunction(request, context);
  const body = check(UpdateCodeBody, request.body);
  const architecture = body.Architectures?.[0];
  context.functions.get(name);
  const view = await updateCode(context.functions, {
    name,
    ...sourceOf(body),
    ...(architecture && { architecture }),
    publish: body.Publish ?? false,
    dryRun: body.DryRun ?? false,
    ...(body.RevisionId && { revisionId: body.RevisionId }),
  });
  return { status: 200, json: published(view) };
}

async function putConfiguration(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const name = wholeFunction(request, context);
  const body = check(UpdateConfigurationBody, request.body);
  context.functions.get(name);
  refuseUnsupportedSettings(body);
  const view = await updateConfiguration(context.functions, {
    name,
    settings: { ...settingsOf(body), ...(body.Role && { role: body.Role }) },
    ...(body.Layers && { layers: body.Layers }),
    ...(body.RevisionId && { revisionId: body.RevisionId }),
  });
  return { status: 200, json: configurationOf(view.entry, view.version) };
}

/** The configuration of a version that an operation made, or of `$LATEST` without a qualifier. */
export function published({ entry, version }: FunctionView): object {
  return configurationOf(entry, version, { qualifier: version.record.version === '$LATEST' ? undefined : version.record.version });
}

async function remove(request: ApiRequest, context: ApiContext): Promise<Reply> {
  const { name, qualifier } = target(request, context, NamespacedFunctionName);
  await deleteFunction(context.functions, name, qualifier);
  return { status: 204 };
}

function settingsOf(body: SettingsBody): SettingsInput {
  const logging = body.LoggingConfig;
  return defined({
    runtime: body.Runtime,
    handler: body.Handler,
    description: body.Description,
    timeoutSeconds: body.Timeout,
    memoryMiB: body.MemorySize,
    tmpMiB: body.EphemeralStorage?.Size,
    environment: body.Environment && (body.Environment.Variables ?? {}),
    tracing: body.TracingConfig?.Mode,
    image:
      body.ImageConfig &&
      defined({
        entryPoint: body.ImageConfig.EntryPoint,
        command: body.ImageConfig.Command,
        workingDirectory: body.ImageConfig.WorkingDirectory,
      }),
    capacityProvider: capacityProviderOf(body.CapacityProviderConfig?.LambdaManagedInstancesCapacityProviderConfig),
    snapStart: body.SnapStart && (body.SnapStart.ApplyOn ?? 'Automatic'),
    logging:
      logging &&
      defined({
        format: logging.LogFormat,
        applicationLevel: logging.ApplicationLogLevel,
        systemLevel: logging.SystemLogLevel,
        group: logging.LogGroup,
      }),
  });
}

type CapacityProviderBody = NonNullable<SettingsBody['CapacityProviderConfig']>['LambdaManagedInstancesCapacityProviderConfig'];

function capacityProviderOf(given: CapacityProviderBody | undefined): SettingsInput['capacityProvider'] | undefined {
  if (!given) return undefined;
  const { CapacityProviderArn: arn, PerExecutionEnvironmentMaxConcurrency: concurrency } = given;
  return { arn, ...(concurrency !== undefined && { concurrency }) };
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the members that are undefined. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}
