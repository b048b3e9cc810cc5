import { HearthError } from '../kernel/mod.ts';
import type { Realm } from './arn.ts';
import { invalid } from './invalid.ts';

const NAME = /^[a-zA-Z0-9-_]+$/;
const ARN = /^arn:[a-zA-Z0-9-]+:lambda:([a-zA-Z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]+)(?::(\d+))?$/;

export const layerArn = (realm: Realm, name: string): string => `arn:aws:lambda:${realm.region}:${realm.accountId}:layer:${name}`;

/** A layer as a request names it: by its name or its ARN. Throws `InvalidParameterValueException`, `AccessDeniedException`. */
export function parseLayerReference(text: string, realm: Realm): string {
  if (NAME.test(text)) return text;
  const { name, version } = parseArn(text, realm);
  if (version !== undefined) throw invalid(`The layer name or ARN '${text}' must not have a version.`);
  return name;
}

/** Throws as `parseLayerReference` does. */
export function parseLayerVersionArn(text: string, realm: Realm): { readonly name: string; readonly version: number } {
  const { name, version } = parseArn(text, realm);
  if (version === undefined) throw invalid(`The ARN '${text}' names no version of the layer. Add one: '${text}:1'.`);
  return { name, version };
}

/** Layers are of one region, and those of other accounts would have to come from AWS. */
function parseArn(text: string, realm: Realm): { readonly name: string; readonly version: number | undefined } {
  const [, region, account, name, version] = ARN.exec(text) ?? [];
  if (name === undefined) throw invalid(`The layer name or ARN '${text}' cannot be understood.`);
  if (account !== realm.accountId)
    throw new HearthError(
      'AccessDeniedException',
      `Not authorized to perform: lambda:GetLayerVersion on resource: ${text}. This Hearth has the layers of its own account (${realm.accountId}) only. Download the layer and publish it here.`,
    );
  if (region !== realm.region)
    throw invalid(`Layers are not in the same region as the function. Layers are expected to be in region ${realm.region}.`);
  return { name, version: version === undefined ? undefined : Number(version) };
}
