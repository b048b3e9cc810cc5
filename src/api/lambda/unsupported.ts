import { HearthError } from '../../kernel/mod.ts';
import type { CodeSource } from '../../control/mod.ts';
import type { CodeBody, CreateFunctionBody, SettingsBody } from './schemas.ts';

/** Refuses what this Hearth would have to ignore: a setting is either in force or an error. Empty values ask for nothing. */
export function refuseUnsupportedSettings(body: SettingsBody): void {
  if (body.VpcConfig?.SubnetIds?.length || body.VpcConfig?.SecurityGroupIds?.length)
    throw unsupported('VpcConfig', 'Functions use the network of the machine. Leave VpcConfig out.');
  if (body.DeadLetterConfig?.TargetArn) throw unsupported('DeadLetterConfig', 'Leave it out.');
  if (body.KMSKeyArn) throw unsupported('KMSKeyArn', 'Leave it out.');
  if (body.FileSystemConfigs?.length) throw unsupported('FileSystemConfigs', 'Leave it out.');
  if (body.CapacityProviderConfig?.LambdaManagedInstancesCapacityProviderConfig.ExecutionEnvironmentMemoryGiBPerVCpu !== undefined)
    throw unsupported('ExecutionEnvironmentMemoryGiBPerVCpu', 'Processors go by MemorySize. Leave it out.');
  if (body.DurableConfig !== undefined) throw unsupported('DurableConfig', 'Leave it out.');
}

export function refuseUnsupportedCreation(body: CreateFunctionBody): void {
  if (body.CodeSigningConfigArn) throw unsupported('CodeSigningConfigArn', 'Leave it out.');
  if (body.TenancyConfig !== undefined) throw unsupported('TenancyConfig', 'Leave it out.');
  refuseUnsupportedSettings(body);
}

/** Where a function's code comes from. Throws `InvalidParameterValueException`. */
export function sourceOf(code: CodeBody & { readonly PublishTo?: string | undefined }): CodeSource {
  if (code.ImageUri === undefined) return { zip: zipOf(code) };
  refusePublishTo(code.PublishTo);
  const others = [code.ZipFile, code.S3Bucket, code.S3Key, code.S3ObjectVersion, code.SourceKMSKeyArn].filter((each) => each !== undefined);
  if (others.length > 0)
    throw new HearthError(
      'InvalidParameterValueException',
      'Please do not provide other FunctionCode parameters when providing an ImageUri.',
    );
  return { imageUri: code.ImageUri };
}

/** The uploaded package. Throws `InvalidParameterValueException` when it comes from elsewhere, or not at all. */
export function zipOf(code: CodeBody & { readonly PublishTo?: string | undefined }, what = 'function code'): Buffer {
  refusePublishTo(code.PublishTo);
  if (code.SourceKMSKeyArn) throw unsupported('SourceKMSKeyArn', 'Leave it out.');
  if (code.ImageUri !== undefined) throw unsupported('code from a container image (ImageUri)', 'Give the package as ZipFile.');
  if (code.S3Bucket !== undefined || code.S3Key !== undefined)
    throw unsupported('code from S3 (S3Bucket, S3Key)', 'Give the package as ZipFile.');
  if (!code.ZipFile) throw new HearthError('InvalidParameterValueException', `Please provide a source for ${what}.`);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(code.ZipFile))
    throw new HearthError('SerializationException', 'ZipFile is not valid base64. Encode the zip file in base64.');
  return Buffer.from(code.ZipFile, 'base64');
}

export function refusePublishTo(publishTo: string | undefined): void {
  if (publishTo !== undefined) throw unsupported('PublishTo', 'Leave it out.');
}

function unsupported(what: string, advice: string): HearthError {
  return new HearthError('InvalidParameterValueException', `This Hearth does not support ${what} yet. ${advice}`);
}
