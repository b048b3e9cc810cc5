import type { FunctionEntry, Functions, FunctionVersion } from '../../control/mod.ts';
import type { Snapshot } from '../../engine/mod.ts';
import type { Log } from '../../kernel/mod.ts';

/** One operation of the service model: where it is and what it does. */
export type Operation = {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `{Name}` stands for one segment, given decoded. */
  readonly path: string;
  readonly run: (request: ApiRequest, context: ApiContext) => Reply | Promise<Reply>;
};

export type ApiRequest = {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The parsed JSON body; `{}` when there is none. */
  readonly body: unknown;
  /** As the client addressed this server, e.g. `127.0.0.1:4566`. */
  readonly host: string;
};

export type ApiContext = {
  readonly functions: Functions;
  /** The address of a function URL, e.g. `http://ID.lambda-url.us-east-1.localhost:4566/`. */
  readonly functionUrl: (urlId: string) => string;
  /** How instances of a version come to be; undefined: its init has not run since the platform started. */
  readonly snapshotOf: (entry: FunctionEntry, version: FunctionVersion) => Snapshot | undefined;
  /** The instances that a version is given ahead of calls; undefined: it has none yet. */
  readonly provisioningOf: (entry: FunctionEntry, version: FunctionVersion) => Provisioning | undefined;
  readonly log: Log;
};

/** Instances that are there or coming up, those that can take an invocation, and why some are missing. */
export type Provisioning = {
  readonly allocated: number;
  readonly available: number;
  readonly failure?: { readonly reason: string; readonly givenUp: boolean };
};

export type Reply =
  | { readonly status: number; readonly json: unknown }
  | { readonly status: number; readonly bytes: Uint8Array; readonly contentType: string }
  | { readonly status: 204 };
