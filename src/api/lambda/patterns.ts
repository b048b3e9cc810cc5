/** Facts of the service model: patterns and lengths of names, as messages show them. */
import { z } from 'zod';
import { SUPPORTED_RUNTIMES } from '../../kernel/mod.ts';
import { pattern, text } from './validation.ts';

const NAME_HEAD = '(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?';

/** Of operations on the function as a whole. */
export const FunctionName = pattern(`${NAME_HEAD}([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?`, { min: 1, max: 140 });
/** Of operations whose query names the version. */
export const UnqualifiedFunctionName = pattern(`${NAME_HEAD}([a-zA-Z0-9-_]+)`, { min: 1, max: 140 });
/** Of operations that know versions. */
export const NamespacedFunctionName = pattern(`${NAME_HEAD}([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`, {
  min: 1,
  max: 256,
});
export const Qualifier = pattern('\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+', { min: 1, max: 128 });
/** The service's own has no plain `$LATEST`. */
export const ScalingQualifier = pattern('(\\$LATEST(\\.PUBLISHED)?|[0-9]+)', { min: 1, max: 128 });
export const UrlQualifier = pattern('((?!^\\d+$)^[0-9a-zA-Z-_]+$)', { min: 1, max: 128 });
export const Alias = pattern('(?!^[0-9]+$)([a-zA-Z0-9-_]+)', { min: 1, max: 128 });
export const Version = pattern('(\\$LATEST(\\.PUBLISHED)?|[0-9]+)', { min: 1, max: 1024 });
export const RoleArn = pattern('arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+');
export const KmsKeyArn = pattern('(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()');
export const LogGroup = pattern('[\\.\\-_/#A-Za-z0-9]+', { min: 1, max: 512 });
export const LayerVersionArn = pattern('arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+', { min: 1, max: 140 });
export const LayerName = pattern('(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+', {
  min: 1,
  max: 140,
});
export const LayerListLimit = z.int().min(1).max(50);
/** What a layer may say that it is made for: Lambda's runtimes of all times, and those of this Hearth. */
export const LayerRuntime = z.enum([
  ...new Set([
    ...['nodejs', 'nodejs4.3', 'nodejs4.3-edge', 'nodejs6.10', 'nodejs8.10', 'nodejs10.x', 'nodejs12.x', 'nodejs14.x', 'nodejs16.x'],
    ...['nodejs18.x', 'nodejs20.x', 'nodejs22.x', 'nodejs24.x', 'java8', 'java8.al2', 'java11', 'java17', 'java21', 'java25'],
    ...[
      'python2.7',
      'python3.6',
      'python3.7',
      'python3.8',
      'python3.9',
      'python3.10',
      'python3.11',
      'python3.12',
      'python3.13',
      'python3.14',
    ],
    ...['dotnetcore1.0', 'dotnetcore2.0', 'dotnetcore2.1', 'dotnetcore3.1', 'dotnet6', 'dotnet8', 'dotnet10', 'go1.x'],
    ...['ruby2.5', 'ruby2.7', 'ruby3.2', 'ruby3.3', 'ruby3.4', 'ruby4.0', 'provided', 'provided.al2', 'provided.al2023'],
    ...SUPPORTED_RUNTIMES,
  ]),
]);
export const Architecture = z.enum(['x86_64', 'arm64']);
export const TaggableResource = pattern(
  'arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)',
  { min: 1, max: 256 },
);
export const EnvironmentName = pattern('[a-zA-Z]([a-zA-Z0-9_])+');
export const StatementId = pattern('([a-zA-Z0-9-_]+)', { min: 1, max: 100 });
export const NamespacedStatementId = pattern('([a-zA-Z0-9-_.]+)', { min: 1, max: 100 });
export const Description = text({ max: 256 });
export const Architectures = z.array(Architecture).min(1).max(1);
export const AuthType = z.enum(['NONE', 'AWS_IAM']);
export const ListLimit = z.int().min(1).max(10_000);
export const ProvisionedListLimit = z.int().min(1).max(50);
export const CapacityProviderArn = pattern(
  'arn:aws[a-zA-Z-]*:lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:capacity-provider:[a-zA-Z0-9-_]+',
  { min: 1, max: 140 },
);
export const UrlListLimit = z.int().min(1).max(50);
