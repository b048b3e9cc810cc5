import { randomUUID } from 'node:crypto';
import { HearthError } from '../kernel/mod.ts';
import { signRequest } from '../protocol/mod.ts';

export type SignableRequest = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

export type Signer = (request: SignableRequest) => Record<string, string>;

/**
 * Signs by the access key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for AWS_REGION; without them requests go unsigned, as a
 * platform without --auth takes them. The admin API is signed as `lambda`, too: one key, one service to allow.
 */
export function signerFrom(environment: NodeJS.ProcessEnv): Signer {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId && !secretAccessKey) return ({ headers }) => ({ ...headers });
  if (!accessKeyId || !secretAccessKey) {
    throw new HearthError('BadUsage', 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together, and one of them is not set');
  }
  const region = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const scope = { accessKeyId, secretAccessKey, region, service: 'lambda' };
  return ({ headers, ...request }) =>
    // As SDKs do: the same request once more within a second is another one, and no replay.
    signRequest({ ...request, headers: { ...headers, 'amz-sdk-invocation-id': randomUUID() }, ...scope, timeMs: Date.now() });
}
