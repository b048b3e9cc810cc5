/** Facts of the service model: patterns and lengths of names, as messages show them. */
import { z } from 'zod';
import { pattern, text } from './validation.ts';

const NAME_HEAD = '(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?';

/** Of operations on the function as a whole. */
export const FunctionName = pattern(`${NAME_HEAD}([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?`, { min: 1, max: 140 });
/** Of operations that know versions. */
export const NamespacedFunctionName = pattern(`${NAME_HEAD}([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`, {
  min: 1,
  max: 256,
});
export const Qualifier = pattern('\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+', { min: 1, max: 128 });
export const UrlQualifier = pattern('((?!^\\d+$)^[0-9a-zA-Z-_]+$)', { min: 1, max: 128 });
export const Alias = pattern('(?!^[0-9]+$)([a-zA-Z0-9-_]+)', { min: 1, max: 128 });
export const Version = pattern('(\\$LATEST(\\.PUBLISHED)?|[0-9]+)', { min: 1, max: 1024 });
export const RoleArn = pattern('arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+');
export const KmsKeyArn = pattern('(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()');
export const LogGroup = pattern('[\\.\\-_/#A-Za-z0-9]+', { min: 1, max: 512 });
export const LayerVersionArn = pattern('arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+', { min: 1, max: 140 });
export const TaggableResource = pattern(
  'arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)',
  { min: 1, max: 256 },
);
export const EnvironmentName = pattern('[a-zA-Z]([a-zA-Z0-9_])+');
export const StatementId = pattern('([a-zA-Z0-9-_]+)', { min: 1, max: 100 });
export const NamespacedStatementId = pattern('([a-zA-Z0-9-_.]+)', { min: 1, max: 100 });
export const Description = text({ max: 256 });
export const Architectures = z
  .array(z.enum(['x86_64', 'arm64']))
  .min(1)
  .max(1);
export const AuthType = z.enum(['NONE', 'AWS_IAM']);
export const ListLimit = z.int().min(1).max(10_000);
export const UrlListLimit = z.int().min(1).max(50);
