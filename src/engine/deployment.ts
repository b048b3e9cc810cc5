import type { SandboxSpec } from '../ports/mod.ts';

/** A function version as the data plane runs it. A new value, with a new `id`, for every change of code or configuration. */
export type Deployment = {
  /** Unique for function, version and revision: two deployments with one id are the same in every respect. */
  readonly id: string;
  readonly functionName: string;
  /** `$LATEST` or a number. */
  readonly version: string;
  /** The ARN that the context object shows. */
  readonly arn: string;
  readonly spec: SandboxSpec;
  readonly timeoutMs: number;
  /** Instances at most; undefined: only the account's limit. */
  readonly maxInstances?: number;
};
