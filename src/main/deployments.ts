import { createHash } from 'node:crypto';
import type { FunctionEntry, FunctionVersion, ImageSettings, Realm, StoredImage, VersionRecord } from '../control/mod.ts';
import { LOCKED_ENVIRONMENT, functionArn, instanceConcurrency, sharesOf } from '../control/mod.ts';
import type { Deployment } from '../engine/mod.ts';
import { parseSchedule } from '../policy/mod.ts';
import { HearthError, LIMITS, runtimeFamily } from '../kernel/mod.ts';
import type { RuntimeFamily } from '../kernel/mod.ts';
import {
  CALLS_TAG,
  REPLAY_TAG,
  parseReplayTag,
  CAPACITY_TAG,
  INSIDE_PORT,
  NETWORK_TAG,
  parseCallsTag,
  parseCapacity,
  parseNetwork,
  parseWasmGrants,
  parseWeb,
  WASM_TAG,
} from '../protocol/mod.ts';
import type { Network, Web } from '../protocol/mod.ts';
import type { ImageStart } from '../ports/mod.ts';
import { node } from '../../runtimes/node/description.ts';
import { python } from '../../runtimes/python/description.ts';
import { provided } from '../../runtimes/provided/description.ts';
import { wasm } from '../../runtimes/wasm/description.ts';
import { scalingOf } from './scaling.ts';

/** What a runtime adds to a function's environment, by its name in the Lambda API. */
const ENVIRONMENTS: Readonly<Record<RuntimeFamily, (identifier: string) => Readonly<Record<string, string>>>> = {
  node: node.environment,
  python: python.environment,
  provided: provided.environment,
  wasm: wasm.environment,
};

/** What a function sees of the platform around it. */
export type DeploymentContext = {
  readonly realm: Realm;
  /** Whether functions have a network of their own. */
  readonly ownNetwork: boolean;
  /** Where SDKs inside functions find Hearth where they have not. */
  readonly hostUrl: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken: string };
};

/** Remembers the deployment of each version of each entry: a warm call makes none anew. */
export function createDeployments(context: DeploymentContext): (entry: FunctionEntry, version: FunctionVersion) => Deployment {
  const known = new WeakMap<FunctionEntry, Map<FunctionVersion, Deployment>>();
  return (entry, version) => {
    let versions = known.get(entry);
    if (!versions) {
      versions = new Map<FunctionVersion, Deployment>();
      known.set(entry, versions);
    }
    const made = versions.get(version);
    if (made) return made;
    const deployment = toDeployment(entry, version, context);
    versions.set(version, deployment);
    return deployment;
  };
}

/**
 * A function version as the data plane runs it. Throws HearthError `ResourceNotReadyException` when its code is not there,
 * `KMSAccessDeniedException` when its environment does not open.
 */
export function toDeployment(entry: FunctionEntry, version: FunctionVersion, context: DeploymentContext): Deployment {
  const { record, code } = version;
  if (code.kind === 'failed')
    throw new HearthError('ResourceNotReadyException', `The code of ${entry.name}:${record.version} is not there: ${code.reason}`);
  if (record.settings.lockedEnvironment !== undefined) throw new HearthError('KMSAccessDeniedException', LOCKED_ENVIRONMENT);
  const network = parseNetwork(entry.record.tags[NETWORK_TAG]);
  const snapshot = snapshotOf(record);
  const concurrency = instanceConcurrency(entry.record, record.settings);
  const web = parseWeb({ ...code.image?.environment, ...record.settings.environment });
  return {
    id: deploymentIdOf(entry, record),
    functionName: entry.name,
    version: record.version,
    arn: functionArn(context.realm, entry.name, record.version === '$LATEST' ? undefined : record.version),
    spec: {
      label: `${entry.name}:${record.version}`,
      // An image is a program of its own, as those are.
      runtime: code.image ? 'provided' : record.settings.runtime,
      handler: record.settings.handler,
      codeDirectory: code.directory,
      ...(code.image
        ? { image: startOf(record.settings.image ?? {}, code.image) }
        : { compileCache: compileCachePath(code.directory, deploymentIdOf(entry, record)) }),
      ...(web && { web }),
      layerDirectories: code.layers.filter(isLast),
      environment: {
        ...environmentOf(entry.name, { record, image: code.image, network, web, concurrency }, context),
        ...wasmSettings(entry, record),
      },
      memoryMiB: record.settings.memoryMiB,
      tmpMiB: record.settings.tmpMiB,
      initTimeoutMs: LIMITS.initTimeoutMs,
      concurrency,
      network,
      accountId: context.realm.accountId,
      ...(snapshot !== undefined && { snapshot }),
    },
    timeoutMs: record.settings.timeoutSeconds * 1_000,
    ...callsOf(entry, record),
    ...scalingOf(entry, version),
  };
}

/** Which functions belong together. */
export const APPLICATION_TAG = 'hearth:application';

/** What its owner has said of who calls it, and when. */
function callsOf(entry: FunctionEntry, { version }: VersionRecord): Pick<Deployment, 'calls'> {
  const { tags } = entry.record;
  const application = tags[APPLICATION_TAG];
  const given = parseCallsTag(tags[CALLS_TAG]);
  const tag = given && sharesOf(entry, given.qualifier, 1).has(version) ? given : undefined;
  const costs = parseReplayTag(tags[REPLAY_TAG]);
  if (application === undefined && !tag && !costs) return {};
  const times = tag && parseSchedule(tag.expression, tag.timezone);
  const schedule = times && { nextMs: (afterMs: number) => times.next(afterMs), jitterMs: tag.jitterMs };
  return { calls: { ...(application !== undefined && { application }), ...(schedule && { schedule }), ...(costs && { costs }) } };
}

/** `PublishedVersions` says nothing of `$LATEST`. */
function snapshotOf({ version, settings }: VersionRecord): Deployment['spec']['snapshot'] {
  if (settings.snapStart === 'None') return 'never';
  return settings.snapStart === 'PublishedVersions' && version !== '$LATEST' ? 'always' : undefined;
}

type Seen = {
  readonly record: VersionRecord;
  readonly image: StoredImage | undefined;
  readonly network: Network;
  readonly web: Web | undefined;
  /** Invocations that an instance runs at a time. */
  readonly concurrency: number;
};

/** That of container engines, for images that say none. */
const IMAGE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the function says takes the place of what the image says, each for itself. */
function startOf({ entryPoint, command, workingDirectory }: ImageSettings, image: StoredImage): ImageStart {
  return {
    command: [...(entryPoint ?? image.entryPoint), ...(command ?? image.command)],
    workingDirectory: workingDirectory || image.workingDirectory,
  };
}

const runtimeVariables = (runtime: string): Record<string, string> => ({
  LANG: 'en_US.UTF-8',
  TZ: ':UTC',
  PATH: '/usr/local/bin:/usr/bin:/bin:/opt/bin',
  LD_LIBRARY_PATH: '/var/task:/var/task/lib:/opt/lib',
  ...ENVIRONMENTS[runtimeFamily(runtime)!](runtime),
});

/** The user's variables under the reserved ones, which a user cannot set; those before them are defaults. */
function environmentOf(
  name: string,
  { record, image, network, web, concurrency }: Seen,
  context: DeploymentContext,
): Record<string, string> {
  const { settings } = record;
  const [handler = ''] = image ? (settings.image?.command ?? image.command) : [settings.handler];
  return {
    ...(image ? { PATH: IMAGE_PATH, ...image.environment } : runtimeVariables(settings.runtime)),
    ...(web && { PORT: String(web.port) }),
    ...networkVariables(network, context),
    ...settings.environment,
    AWS_REGION: context.realm.region,
    AWS_DEFAULT_REGION: context.realm.region,
    AWS_ACCESS_KEY_ID: context.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: context.credentials.secretAccessKey,
    AWS_SESSION_TOKEN: context.credentials.sessionToken,
    ...(!image && { AWS_EXECUTION_ENV: `AWS_Lambda_${settings.runtime}` }),
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: record.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMiB),
    AWS_LAMBDA_INITIALIZATION_TYPE: initializationType(record, image),
    ...(concurrency > 1 && { AWS_LAMBDA_MAX_CONCURRENCY: String(concurrency) }),
    AWS_LAMBDA_LOG_GROUP_NAME: settings.logging.group,
    AWS_LAMBDA_LOG_STREAM_NAME: logStreamName(record),
    AWS_LAMBDA_LOG_FORMAT: settings.logging.format,
    ...(settings.logging.applicationLevel !== undefined && { AWS_LAMBDA_LOG_LEVEL: settings.logging.applicationLevel }),
    LAMBDA_TASK_ROOT: '/var/task',
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    _HANDLER: handler,
  };
}

/** `snap-start` where the owner has asked for it. That Hearth forks others too is no matter of theirs. */
function initializationType(record: VersionRecord, image: StoredImage | undefined): 'on-demand' | 'snap-start' {
  const forks = !image && ['node', 'python'].includes(runtimeFamily(record.settings.runtime) ?? '');
  return forks && snapshotOf(record) === 'always' ? 'snap-start' : 'on-demand';
}

/** For the loader of modules: a variable that no user can set, and that no module sees. */
function wasmSettings(entry: FunctionEntry, { settings }: VersionRecord): Readonly<Record<string, string>> {
  if (runtimeFamily(settings.runtime) !== 'wasm') return {};
  const grants = parseWasmGrants(entry.record.tags[WASM_TAG]);
  return { [wasm.settingsVariable]: JSON.stringify({ grants, variables: Object.keys(settings.environment ?? {}) }) };
}

/** Where clients find the platform, and the proxy, which Node's and Python's use by themselves when these name it. */
function networkVariables(network: Network, { ownNetwork, hostUrl }: DeploymentContext): Record<string, string> {
  if (!ownNetwork || network.kind === 'host') return { AWS_ENDPOINT_URL: hostUrl };
  if (network.kind === 'none') return {};
  const direct = 'localhost,127.0.0.1,::1';
  return {
    AWS_ENDPOINT_URL: INSIDE_URL,
    ...{ HTTP_PROXY: INSIDE_URL, HTTPS_PROXY: INSIDE_URL, NO_PROXY: direct },
    ...{ http_proxy: INSIDE_URL, https_proxy: INSIDE_URL, no_proxy: direct },
    NODE_USE_ENV_PROXY: '1',
  };
}

const INSIDE_URL = `http://127.0.0.1:${INSIDE_PORT}`;

/** Of layers with the same content the last one is left: it covers the others, and no directory can be merged twice. */
const isLast = (directory: string, index: number, all: readonly string[]): boolean => all.lastIndexOf(directory) === index;

/** Beside the code, and gone with it. By deployment, not by code: what one function's processes have made is given to no other function. */
function compileCachePath(codeDirectory: string, deploymentId: string): string {
  const { version, arch } = process;
  const name = createHash('sha256').update(`${deploymentId}\0${version}\0${arch}`).digest('hex');
  return `${codeDirectory}.compiled/${name}`;
}

/** In Lambda's form, but one for all instances of a deployment: Hearth keeps logs by function. */
function logStreamName(record: VersionRecord): string {
  const day = new Date(record.modifiedMs).toISOString().slice(0, 10).replaceAll('-', '/');
  const hash = createHash('sha256').update(record.deploymentId).digest('hex').slice(0, 32);
  return `${day}/[${record.version}]${hash}`;
}

/**
 * Settings and code give a version a new deploymentId; what it may reach, and how many invocations share an instance, may be said of the
 * function as a whole, and so may its class, which the data plane asks for when it makes room. How many instances there are is no part of it.
 */
export function deploymentIdOf(entry: FunctionEntry, { version, deploymentId, settings }: VersionRecord): string {
  const concurrency = instanceConcurrency(entry.record, settings);
  const { class: capacity } = parseCapacity(entry.record.tags[CAPACITY_TAG]);
  const network = entry.record.tags[NETWORK_TAG];
  const wasmGrants = entry.record.tags[WASM_TAG];
  const granted = `${network === undefined ? '' : `@${network}`}${wasmGrants === undefined ? '' : `^${wasmGrants}`}`;
  return `${entry.name}:${version}:${deploymentId}${concurrency === 1 ? '' : `*${concurrency}`}${capacity === 'standard' ? '' : `!${capacity}`}${granted}`;
}
