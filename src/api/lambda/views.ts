/** What operations answer with, in the service model's shapes. */
import { LOCKED_ENVIRONMENT, codeSha256 } from '../../control/mod.ts';
import type { Snapshot } from '../../engine/mod.ts';
import { snapshotText } from '../../protocol/mod.ts';
import type { AliasRecord, Cors, FunctionEntry, FunctionSettings, FunctionVersion, LayerVersion, UrlEntry } from '../../control/mod.ts';

export type ConfigurationView = {
  /** What the ARN ends with; undefined: the function's own. */
  readonly qualifier?: string | undefined;
  /** Lists leave out the states. */
  readonly listed?: boolean;
  /** What is known of how its instances come to be. */
  readonly snapshot?: Snapshot | undefined;
};

export function configurationOf(entry: FunctionEntry, { record, code }: FunctionVersion, view: ConfigurationView = {}): object {
  const { settings } = record;
  return {
    FunctionName: entry.name,
    FunctionArn: view.qualifier === undefined ? entry.arn : `${entry.arn}:${view.qualifier}`,
    ...(!settings.image && { Runtime: settings.runtime }),
    Role: settings.role,
    ...(!settings.image && { Handler: settings.handler }),
    CodeSize: record.code.bytes,
    Description: settings.description,
    Timeout: settings.timeoutSeconds,
    MemorySize: settings.memoryMiB,
    LastModified: lambdaTime(record.modifiedMs),
    CodeSha256: codeSha256(record.code),
    Version: record.version,
    ...environmentView(settings),
    TracingConfig: { Mode: settings.tracing },
    RevisionId: record.revisionId,
    ...(!view.listed && states(code, settings, view.snapshot)),
    PackageType: settings.image ? 'Image' : 'Zip',
    ...imageView(settings.image),
    Architectures: [settings.architecture],
    EphemeralStorage: { Size: settings.tmpMiB },
    SnapStart: { ApplyOn: settings.snapStart ?? 'None', OptimizationStatus: view.snapshot?.forks ? 'On' : 'Off' },
    ...(view.snapshot && { Snapshot: snapshotView(view.snapshot) }),
    LoggingConfig: {
      LogFormat: settings.logging.format,
      ApplicationLogLevel: settings.logging.applicationLevel,
      SystemLogLevel: settings.logging.systemLevel,
      LogGroup: settings.logging.group,
    },
    ...capacityProviderView(settings),
    ...(settings.layers && { Layers: settings.layers.map(({ arn, bytes }) => ({ Arn: arn, CodeSize: bytes })) }),
  };
}

function capacityProviderView({ capacityProvider }: FunctionSettings): object {
  if (!capacityProvider) return {};
  const { arn, concurrency } = capacityProvider;
  const config = { CapacityProviderArn: arn, PerExecutionEnvironmentMaxConcurrency: concurrency };
  return { CapacityProviderConfig: { LambdaManagedInstancesCapacityProviderConfig: config } };
}

/** Only what was given with the function: the rest is as the image says. */
function imageView({ entryPoint, command, workingDirectory }: NonNullable<FunctionSettings['image']> = {}): object {
  const given = { EntryPoint: entryPoint, Command: command, WorkingDirectory: workingDirectory };
  const isEmpty = Object.values(given).every((each) => each === undefined);
  return isEmpty ? {} : { ImageConfigResponse: { ImageConfig: given } };
}

/** In place of values that can't be read there is what is wrong, as where Lambda may not use the key. */
function environmentView({ environment, lockedEnvironment }: FunctionSettings): object {
  if (lockedEnvironment !== undefined)
    return { Environment: { Error: { ErrorCode: 'AccessDeniedException', Message: LOCKED_ENVIRONMENT } } };
  return environment ? { Environment: { Variables: environment } } : {};
}

/** A change is answered when it is in force: nothing is ever Pending or InProgress. */
function states(code: FunctionVersion['code'], { lockedEnvironment }: FunctionSettings, snapshot: Snapshot | undefined): object {
  if (code.kind === 'ready' && lockedEnvironment !== undefined) {
    const reason = { StateReason: LOCKED_ENVIRONMENT, StateReasonCode: 'KMSKeyAccessDenied' };
    return { State: 'Failed', ...reason, LastUpdateStatus: 'Successful' };
  }
  switch (code.kind) {
    case 'ready':
      return { State: 'Active', ...reasonOf(snapshot), LastUpdateStatus: 'Successful' };
    case 'failed':
      return { State: 'Failed', StateReason: code.reason, StateReasonCode: 'InternalError', LastUpdateStatus: 'Successful' };
  }
}

/** Not of a state, but the one text of the answer that SDKs pass on. */
function reasonOf(snapshot: Snapshot | undefined): object {
  const reason = snapshot && snapshotText(snapshot.forks, snapshot.blockers);
  return reason === undefined ? {} : { StateReason: reason };
}

/** No member of Lambda's: for those who read the answer as it is. */
function snapshotView({ forks, blockers }: Snapshot): object {
  return { Forks: forks, Blockers: blockers.map(({ kind, detail, place }) => ({ Kind: kind, Detail: detail, Place: place })) };
}

export function urlConfigOf({ entry, url }: UrlEntry, functionUrl: (urlId: string) => string): object {
  return {
    FunctionUrl: functionUrl(url.urlId),
    FunctionArn: url.qualifier === '$LATEST' ? entry.arn : `${entry.arn}:${url.qualifier}`,
    AuthType: url.authType,
    ...(url.cors && { Cors: corsView(url.cors) }),
    CreationTime: new Date(url.createdMs).toISOString(),
    LastModifiedTime: new Date(url.modifiedMs).toISOString(),
    InvokeMode: url.invokeMode,
  };
}

function corsView(cors: Cors): object {
  return {
    AllowCredentials: cors.allowCredentials,
    AllowHeaders: cors.allowHeaders,
    AllowMethods: cors.allowMethods,
    AllowOrigins: cors.allowOrigins,
    ExposeHeaders: cors.exposeHeaders,
    MaxAge: cors.maxAgeSeconds,
  };
}

export function aliasView(entry: FunctionEntry, alias: AliasRecord): object {
  return {
    AliasArn: `${entry.arn}:${alias.name}`,
    Name: alias.name,
    FunctionVersion: alias.version,
    Description: alias.description,
    ...(Object.keys(alias.weights).length > 0 && { RoutingConfig: { AdditionalVersionWeights: alias.weights } }),
    RevisionId: alias.revisionId,
  };
}

/** A layer version as lists show it. */
export function layerVersionItem({ arn, record }: LayerVersion): object {
  return {
    LayerVersionArn: arn,
    Version: record.version,
    Description: record.description,
    CreatedDate: lambdaTime(record.createdMs),
    CompatibleRuntimes: record.runtimes,
    LicenseInfo: record.license,
    CompatibleArchitectures: record.architectures,
  };
}

export function base64Hash(sha256Hex: string): string {
  return Buffer.from(sha256Hex, 'hex').toString('base64');
}

/** `2026-11-21T01:40:00.000+0000`: how Lambda writes LastModified. */
export function lambdaTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '+0000');
}
