/**
 * What is recorded of functions. The store has a FunctionRecord as `functions/NAME`, a VersionRecord as `versions/NAME/0000000001`, with the
 * environments sealed: sealed-records.ts.
 */
export type FunctionRecord = {
  readonly schema: 1;
  readonly name: string;
  /** `$LATEST`. Published versions are records of their own: there may be many, and they never change. */
  readonly latest: VersionRecord;
  /** The highest version number given so far; numbers are never given twice. */
  readonly published: number;
  /** The `$LATEST` that the newest version was made of: publishing it again makes no other. */
  readonly publishedFrom?: { readonly deploymentId: string; readonly version: string };
  readonly aliases: readonly AliasRecord[];
  readonly urls: readonly UrlRecord[];
  readonly policies: readonly PolicyRecord[];
  readonly tags: Readonly<Record<string, string>>;
  readonly reservedConcurrency?: number;
  /** At most one for each qualifier. */
  readonly provisioned?: readonly ProvisionedRecord[];
  readonly instances?: readonly InstancesRecord[];
};

/** `executions`: how many may run at a time on instances that are there ahead of them. `qualifier`: a version or an alias. */
export type ProvisionedRecord = { readonly qualifier: string; readonly executions: number; readonly modifiedMs: number };

/** Instances at least and at most. `qualifier`: `$LATEST`, a version, or `$LATEST.PUBLISHED`, which is whichever was published last. */
export type InstancesRecord = { readonly qualifier: string; readonly min?: number; readonly max?: number };

export type VersionRecord = {
  /** `$LATEST` or a number. */
  readonly version: string;
  readonly settings: FunctionSettings;
  readonly code: FunctionCode;
  /** Epoch milliseconds. */
  readonly modifiedMs: number;
  readonly revisionId: string;
  /** A new UUID with every change of code or settings: what the data plane tells deployments apart by. */
  readonly deploymentId: string;
};

/** The package as it was uploaded; `sha256` in hexadecimal, as Blobs has it. */
export type CodeRecord = { readonly sha256: string; readonly bytes: number };

/** A package, or a container image: `sha256` is its digest then, and its bytes are not counted, as on Lambda. */
export type FunctionCode = CodeRecord & { readonly image?: { readonly digest: string; readonly uri: string } };

/** A layer version as a function has it: what it needs of it even when that is deleted. */
export type AttachedLayer = CodeRecord & {
  /** Of the layer version. */
  readonly arn: string;
};

export type Architecture = 'x86_64' | 'arm64';

export type FunctionSettings = {
  /** Empty, as the handler is: a container image. */
  readonly runtime: string;
  readonly handler: string;
  /** Present: its code is a container image. What is left out is as the image says. */
  readonly image?: ImageSettings;
  readonly role: string;
  readonly description: string;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  readonly tmpMiB: number;
  /** Absent: none was ever given. Lambda tells that apart from an empty one. */
  readonly environment?: Readonly<Record<string, string>>;
  /** In place of it, as it is stored, when that does not open: the function can't run until it gets another. */
  readonly lockedEnvironment?: string;
  /** Absent: instances are forked where that works. */
  readonly snapStart?: 'PublishedVersions' | 'None';
  readonly tracing: 'Active' | 'PassThrough';
  readonly architecture: Architecture;
  readonly logging: LoggingSettings;
  /** In the order in which they are merged, a later one over those before. Absent: none. */
  readonly layers?: readonly AttachedLayer[];
  readonly capacityProvider?: CapacityProviderSettings;
};

/** The ARN is only kept. `concurrency`: invocations that one instance runs at a time. */
export type CapacityProviderSettings = { readonly arn: string; readonly concurrency?: number };

export type ImageSettings = {
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly workingDirectory?: string;
};

export type LoggingSettings = {
  readonly format: 'Text' | 'JSON';
  /** Only with JSON. */
  readonly applicationLevel?: string;
  readonly systemLevel?: string;
  readonly group: string;
};

export type AliasRecord = {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Version and the share of invocations, 0 to 1, that it gets instead of `version`. At most one. */
  readonly weights: Readonly<Record<string, number>>;
  readonly revisionId: string;
};

export type UrlAuthType = 'NONE' | 'AWS_IAM';
export type InvokeMode = 'BUFFERED' | 'RESPONSE_STREAM';

export type UrlRecord = {
  /** The first label of the host name: 32 lower-case letters and digits. */
  readonly urlId: string;
  /** `$LATEST` or an alias. */
  readonly qualifier: string;
  readonly authType: UrlAuthType;
  readonly invokeMode: InvokeMode;
  readonly cors?: Cors;
  readonly createdMs: number;
  readonly modifiedMs: number;
};

export type Cors = {
  readonly allowCredentials?: boolean;
  readonly allowHeaders?: readonly string[];
  readonly allowMethods?: readonly string[];
  readonly allowOrigins?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAgeSeconds?: number;
};

/** What is recorded of a layer itself, as `layers/NAME`. It stays when all of its versions are deleted: the next one gets a new number. */
export type LayerRecord = {
  readonly schema: 1;
  readonly name: string;
  /** The highest version number given so far; numbers are never given twice. */
  readonly published: number;
};

/** As `layer-versions/NAME/0000000001`. Only its policy ever changes. */
export type LayerVersionRecord = {
  readonly schema: 1;
  readonly version: number;
  readonly description: string;
  readonly code: CodeRecord;
  /** These three as they were given; absent: they were not. */
  readonly runtimes?: readonly string[];
  readonly architectures?: readonly Architecture[];
  readonly license?: string;
  readonly createdMs: number;
  /** Absent: nobody was permitted anything. */
  readonly policy?: { readonly statements: readonly PolicyStatement[]; readonly revisionId: string };
};

/** The resource policy of a function (`$LATEST`), version or alias: IAM statements as they are shown. */
export type PolicyRecord = { readonly qualifier: string; readonly statements: readonly PolicyStatement[] };

export type PolicyStatement = {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Principal: '*' | Readonly<Record<string, string>>;
  readonly Action: string;
  readonly Resource: string;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
};
