import { HearthError } from '../kernel/mod.ts';

/** Where this Hearth says that it is: what ARNs are made of. */
export type Realm = { readonly region: string; readonly accountId: string };

/** A function as a request names it. */
export type FunctionReference = { readonly name: string; readonly qualifier?: string };

const REGION = '[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\\d';
/** The service model's pattern for a function name, with what we need of it captured: region, account, name, qualifier. */
const REFERENCE = new RegExp(
  `^(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?(?:(${REGION}):)?(?:(\\d{12}):)?(?:function:)?([a-zA-Z0-9-_.]+)(?::(\\$LATEST(?:\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$`,
);
const PLAIN_NAME = /^[a-zA-Z0-9-_]+$/;

/**
 * Reads a name, a partial or a full ARN, each with or without a qualifier. `qualifier` is the one given beside it and must agree.
 * Throws `ResourceNotFoundException` for another region or account, `InvalidParameterValueException` for what is no name.
 */
export function parseFunctionReference(text: string, realm: Realm, qualifier?: string): FunctionReference {
  if (PLAIN_NAME.test(text)) return qualifier === undefined ? { name: text } : { name: text, qualifier };
  const match = REFERENCE.exec(text);
  if (!match) throw new HearthError('InvalidParameterValueException', `The function name or ARN '${text}' cannot be understood.`);
  const [, region, account, name, inName] = match;
  if (region !== undefined && region !== realm.region)
    throw new HearthError('ResourceNotFoundException', `Functions from '${region}' are not reachable in this region ('${realm.region}')`);
  if (account !== undefined && account !== realm.accountId)
    throw new HearthError('ResourceNotFoundException', `Function not found: ${text}`);
  if (inName !== undefined && qualifier !== undefined && inName !== qualifier)
    throw new HearthError(
      'InvalidParameterValueException',
      'The derived qualifier from the function name does not match the specified qualifier.',
    );
  const effective = qualifier ?? inName;
  return effective === undefined ? { name: name! } : { name: name!, qualifier: effective };
}

export function functionArn(realm: Realm, name: string, qualifier?: string): string {
  const arn = `arn:aws:lambda:${realm.region}:${realm.accountId}:function:${name}`;
  return qualifier === undefined ? arn : `${arn}:${qualifier}`;
}
