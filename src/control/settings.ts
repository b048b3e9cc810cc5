import { LIMITS, SUPPORTED_RUNTIMES, runtimeFamily } from '../kernel/mod.ts';
import { EXEC_WRAPPER, WEB_PORT, parseWeb } from '../protocol/mod.ts';
import { invalid } from './invalid.ts';
import type { Architecture, FunctionSettings, LoggingSettings } from './records.ts';

/** What a request gives of the settings; what it leaves out stays as it is, or gets its default. */
export type SettingsInput = {
  readonly [K in Exclude<keyof FunctionSettings, 'lockedEnvironment' | 'logging' | 'architecture' | 'snapStart'>]?: FunctionSettings[K];
} & {
  readonly logging?: Partial<LoggingSettings>;
  readonly architecture?: Architecture;
  /** `Automatic` takes back what was given before. */
  readonly snapStart?: 'PublishedVersions' | 'None' | 'Automatic';
};

/** Lambda's other runtimes: existing ones, that are not here yet. */
const LATER_RUNTIMES = /^(java\d+(\.al2)?|dotnet\d+|ruby\d\.\d|nodejs18\.x)$/;

/** Names that the platform sets itself. Those that begin with `_` are not allowed by their pattern. */
const RESERVED_VARIABLES = new Set([
  ...['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_EXECUTION_ENV', 'AWS_LAMBDA_RUNTIME_API', 'LAMBDA_TASK_ROOT', 'LAMBDA_RUNTIME_DIR'],
  ...['AWS_LAMBDA_FUNCTION_NAME', 'AWS_LAMBDA_FUNCTION_MEMORY_SIZE', 'AWS_LAMBDA_FUNCTION_VERSION', 'AWS_LAMBDA_INITIALIZATION_TYPE'],
  ...['AWS_LAMBDA_LOG_GROUP_NAME', 'AWS_LAMBDA_LOG_STREAM_NAME'],
  ...['AWS_ACCESS_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
]);

/**
 * The settings after a request. `before` is undefined for a new function. Ranges and patterns of single fields are checked where the
 * request is read; here is what takes more than one field, or the platform. Throws `InvalidParameterValueException`.
 */
export function applySettings(name: string, before: FunctionSettings | undefined, input: SettingsInput): FunctionSettings {
  const image = input.image ?? before?.image;
  if (image) checkImage(before, input);
  const runtime = image ? '' : (input.runtime ?? before?.runtime);
  const handler = image
    ? ''
    : (input.handler ?? before?.handler ?? (runtime !== undefined && runtimeFamily(runtime) === 'wasm' ? 'module.wasm' : undefined));
  const role = input.role ?? before?.role;
  if (!image && (!runtime || !handler))
    throw invalid('Runtime and Handler are mandatory parameters for functions created with deployment packages.');
  if (!role) throw invalid('A function needs a Role. This Hearth only keeps it; any well-formed ARN will do.');
  if (input.runtime !== undefined) checkRuntime(input.runtime);
  if (input.environment) checkEnvironment(input.environment);
  const environment = input.environment ?? before?.environment;
  if (input.environment) checkWeb(input.environment, runtime!);
  if (input.environment) checkWrapper(input.environment, runtime!);
  const capacityProvider = input.capacityProvider ?? before?.capacityProvider;
  const layers = input.layers ?? before?.layers ?? [];
  const snapStart = input.snapStart ?? before?.snapStart ?? 'Automatic';
  return {
    runtime: runtime!,
    handler: handler!,
    ...(image && { image }),
    role,
    description: input.description ?? before?.description ?? '',
    timeoutSeconds: input.timeoutSeconds ?? before?.timeoutSeconds ?? LIMITS.timeoutSeconds.default,
    memoryMiB: input.memoryMiB ?? before?.memoryMiB ?? LIMITS.memoryMiB.default,
    tmpMiB: input.tmpMiB ?? before?.tmpMiB ?? LIMITS.tmpMiB.default,
    ...(environment ? { environment } : before?.lockedEnvironment !== undefined && { lockedEnvironment: before.lockedEnvironment }),
    ...(snapStart !== 'Automatic' && { snapStart }),
    tracing: input.tracing ?? before?.tracing ?? 'PassThrough',
    architecture: input.architecture ?? before?.architecture ?? 'x86_64',
    logging: applyLogging(name, before?.logging, input.logging),
    ...(layers.length > 0 && { layers }),
    ...(capacityProvider && { capacityProvider }),
  };
}

function checkImage(before: FunctionSettings | undefined, input: SettingsInput): void {
  if (before && !before.image) throw invalid("Please don't provide ImageConfig when the function's PackageType is Zip.");
  if (input.runtime !== undefined || input.handler !== undefined || (input.layers?.length ?? 0) > 0)
    throw invalid("Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image.");
}

/** Runtimes call their functions themselves; what is to serve HTTP is a program. */
function checkWeb(environment: Readonly<Record<string, string>>, runtime: string): void {
  if (parseWeb(environment) && runtime !== '' && runtimeFamily(runtime) !== 'provided')
    throw invalid(`The environment variable ${WEB_PORT} is for container images and custom runtimes, not for ${runtime}.`);
}

/** Runtimes are executed by it; programs of one's own do about it what they like. */
function checkWrapper(environment: Readonly<Record<string, string>>, runtime: string): void {
  if (environment[EXEC_WRAPPER] && runtimeFamily(runtime) === 'wasm')
    throw invalid(
      `The environment variable ${EXEC_WRAPPER} is for Node and Python: a WebAssembly module has no runtime that could be wrapped.`,
    );
}

function checkRuntime(runtime: string): void {
  if (SUPPORTED_RUNTIMES.includes(runtime)) return;
  if (LATER_RUNTIMES.test(runtime))
    throw invalid(`The runtime ${runtime} is not supported yet by this Hearth. It runs ${SUPPORTED_RUNTIMES.join(', ')}.`);
  throw invalid(
    `Value ${runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [${SUPPORTED_RUNTIMES.join(', ')}] or be a valid ARN`,
  );
}

function checkEnvironment(environment: Readonly<Record<string, string>>): void {
  const reserved = Object.keys(environment).filter((name) => RESERVED_VARIABLES.has(name));
  if (reserved.length > 0)
    throw invalid(
      'Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys ' +
        `that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    );
  const measured = JSON.stringify(environment);
  if (Buffer.byteLength(measured) > LIMITS.environmentBytes)
    throw invalid(
      'Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. ' +
        `String measured: ${measured}`,
    );
}

/** Levels exist with the JSON format only. */
function applyLogging(name: string, before: LoggingSettings | undefined, input: Partial<LoggingSettings> = {}): LoggingSettings {
  const format = input.format ?? before?.format ?? 'Text';
  const group = input.group ?? before?.group ?? `/aws/lambda/${name}`;
  if (format === 'Text') {
    if (input.applicationLevel !== undefined || input.systemLevel !== undefined)
      throw invalid('ApplicationLogLevel and SystemLogLevel need the LogFormat JSON. Set LogFormat to JSON, or leave the levels out.');
    return { format, group };
  }
  return {
    format,
    applicationLevel: input.applicationLevel ?? before?.applicationLevel ?? 'INFO',
    systemLevel: input.systemLevel ?? before?.systemLevel ?? 'INFO',
    group,
  };
}
