/** Request bodies of the service model. Members that this Hearth refuses are in `unsupported.ts`. */
import { z } from 'zod';
import { LIMITS } from '../../kernel/mod.ts';
import * as p from './patterns.ts';
import { pattern, text } from './validation.ts';

const range = ({ min, max }: { readonly min: number; readonly max: number }) => z.int().min(min).max(max);
const Tags = z.record(z.string(), z.string());

const Code = z.object({
  /** Base64. */
  ZipFile: z.string().optional(),
  S3Bucket: pattern('[0-9A-Za-z\\.\\-_]*(?<!\\.)', { min: 3, max: 63 }).optional(),
  S3Key: text({ min: 1, max: 1024 }).optional(),
  S3ObjectVersion: text({ min: 1, max: 1024 }).optional(),
  ImageUri: z.string().optional(),
  SourceKMSKeyArn: p.KmsKeyArn.optional(),
});

export const PublishLayerBody = z.object({
  Description: p.Description.optional(),
  Content: Code.omit({ ImageUri: true, SourceKMSKeyArn: true }),
  CompatibleRuntimes: z.array(p.LayerRuntime).max(15).optional(),
  CompatibleArchitectures: z.array(p.Architecture).max(2).optional(),
  LicenseInfo: text({ max: 512 }).optional(),
});

/** What CreateFunction and UpdateFunctionConfiguration share. */
const Settings = z.object({
  Runtime: z.string().optional(),
  Handler: pattern('[^\\s]+', { max: LIMITS.handlerLength }).optional(),
  Description: p.Description.optional(),
  Timeout: range(LIMITS.timeoutSeconds).optional(),
  MemorySize: range(LIMITS.memoryMiB).optional(),
  EphemeralStorage: z.object({ Size: range(LIMITS.tmpMiB) }).optional(),
  Environment: z.object({ Variables: z.record(p.EnvironmentName, z.string()).optional() }).optional(),
  TracingConfig: z.object({ Mode: z.enum(['Active', 'PassThrough']).optional() }).optional(),
  LoggingConfig: z
    .object({
      LogFormat: z.enum(['JSON', 'Text']).optional(),
      ApplicationLogLevel: z.enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']).optional(),
      SystemLogLevel: z.enum(['DEBUG', 'INFO', 'WARN']).optional(),
      LogGroup: p.LogGroup.optional(),
    })
    .optional(),
  SnapStart: z.object({ ApplyOn: z.enum(['PublishedVersions', 'None']).optional() }).optional(),
  Layers: z.array(p.LayerVersionArn).optional(),
  VpcConfig: z
    .object({ SubnetIds: z.array(z.string()).max(16).optional(), SecurityGroupIds: z.array(z.string()).max(5).optional() })
    .optional(),
  DeadLetterConfig: z.object({ TargetArn: p.KmsKeyArn.optional() }).optional(),
  KMSKeyArn: p.KmsKeyArn.optional(),
  FileSystemConfigs: z.array(z.unknown()).max(1).optional(),
  ImageConfig: z
    .object({
      EntryPoint: z.array(z.string()).max(1500).optional(),
      Command: z.array(z.string()).max(1500).optional(),
      WorkingDirectory: text({ max: 1000 }).optional(),
    })
    .optional(),
  CapacityProviderConfig: z
    .object({
      LambdaManagedInstancesCapacityProviderConfig: z.object({
        CapacityProviderArn: p.CapacityProviderArn,
        PerExecutionEnvironmentMaxConcurrency: range(LIMITS.scaling.concurrency).optional(),
        ExecutionEnvironmentMemoryGiBPerVCpu: z.number().min(2).max(8).optional(),
      }),
    })
    .optional(),
  DurableConfig: z.unknown().optional(),
});
export type SettingsBody = z.output<typeof Settings>;

export const CreateFunctionBody = Settings.extend({
  FunctionName: p.FunctionName,
  Role: p.RoleArn,
  Code,
  Publish: z.boolean().optional(),
  PackageType: z.enum(['Zip', 'Image']).optional(),
  Tags: Tags.optional(),
  Architectures: p.Architectures.optional(),
  CodeSigningConfigArn: z.string().optional(),
  PublishTo: z.string().optional(),
  TenancyConfig: z.unknown().optional(),
});
export type CreateFunctionBody = z.output<typeof CreateFunctionBody>;

export const UpdateConfigurationBody = Settings.extend({ Role: p.RoleArn.optional(), RevisionId: z.string().optional() });

export const UpdateCodeBody = Code.extend({
  Publish: z.boolean().optional(),
  DryRun: z.boolean().optional(),
  RevisionId: z.string().optional(),
  Architectures: p.Architectures.optional(),
  PublishTo: z.string().optional(),
});
export type CodeBody = z.output<typeof Code>;

const CorsBody = z.object({
  AllowCredentials: z.boolean().optional(),
  AllowHeaders: z
    .array(text({ max: 1024 }))
    .max(100)
    .optional(),
  AllowMethods: z
    .array(text({ max: 6 }))
    .max(6)
    .optional(),
  AllowOrigins: z
    .array(text({ min: 1, max: 253 }))
    .max(100)
    .optional(),
  ExposeHeaders: z
    .array(text({ max: 1024 }))
    .max(100)
    .optional(),
  MaxAge: range({ min: 0, max: 86_400 }).optional(),
});
export type CorsBody = z.output<typeof CorsBody>;

const InvokeMode = z.enum(['BUFFERED', 'RESPONSE_STREAM']);
export const CreateUrlBody = z.object({ AuthType: p.AuthType, Cors: CorsBody.optional(), InvokeMode: InvokeMode.optional() });
export const UpdateUrlBody = CreateUrlBody.partial();

export const PublishVersionBody = z.object({
  CodeSha256: z.string().optional(),
  Description: p.Description.optional(),
  RevisionId: z.string().optional(),
  PublishTo: z.string().optional(),
});

const Routing = z.object({
  AdditionalVersionWeights: z.record(pattern('[0-9]+', { min: 1, max: 1024 }), z.number().min(0).max(1)).optional(),
});
export const CreateAliasBody = z.object({
  Name: p.Alias,
  FunctionVersion: p.Version,
  Description: p.Description.optional(),
  RoutingConfig: Routing.optional(),
});
export const UpdateAliasBody = CreateAliasBody.omit({ Name: true }).partial().extend({ RevisionId: z.string().optional() });

export const TagsBody = z.object({ Tags });
export const ConcurrencyBody = z.object({ ReservedConcurrentExecutions: z.int().min(0) });

export const ProvisionedBody = z.object({ ProvisionedConcurrentExecutions: z.int().min(1) });
const Instances = range(LIMITS.scaling.instances).optional();
export const ScalingBody = z.object({
  FunctionScalingConfig: z.object({ MinExecutionEnvironments: Instances, MaxExecutionEnvironments: Instances }).optional(),
});

export const PermissionBody = z.object({
  StatementId: p.StatementId,
  Action: pattern('(lambda:[*]|lambda:[a-zA-Z]+|[*])'),
  Principal: pattern('[^\\s]+'),
  SourceArn: pattern('arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}(-gov)?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)').optional(),
  SourceAccount: pattern('\\d{12}', { max: 12 }).optional(),
  EventSourceToken: pattern('[a-zA-Z0-9._\\-]+', { max: 256 }).optional(),
  RevisionId: z.string().optional(),
  PrincipalOrgID: pattern('o-[a-z0-9]{10,32}', { min: 12, max: 34 }).optional(),
  FunctionUrlAuthType: p.AuthType.optional(),
  InvokedViaFunctionUrl: z.boolean().optional(),
});
export type PermissionBody = z.output<typeof PermissionBody>;

export const LayerPermissionBody = z.object({
  StatementId: p.StatementId,
  Action: pattern('lambda:GetLayerVersion', { max: 22 }),
  Principal: pattern('\\d{12}|\\*|arn:(aws[a-zA-Z-]*):iam::\\d{12}:root'),
  OrganizationId: pattern('o-[a-z0-9]{10,32}', { max: 34 }).optional(),
});
