/** The calls of the Lambda API that the command line makes, with the fields of their answers that it uses. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthError } from '../kernel/mod.ts';
import type { ApiRequest, Client } from './client.ts';

export type FunctionConfiguration = {
  readonly FunctionName: string;
  readonly FunctionArn: string;
  readonly Runtime?: string;
  readonly Handler?: string;
  readonly Description?: string;
  readonly CodeSize: number;
  readonly CodeSha256: string;
  readonly Timeout: number;
  readonly MemorySize: number;
  readonly LastModified: string;
  readonly Version: string;
  readonly State?: string;
  readonly StateReason?: string;
  readonly LastUpdateStatus?: string;
  readonly LastUpdateStatusReason?: string;
  readonly Environment?: {
    readonly Variables?: Readonly<Record<string, string>>;
    readonly Error?: { readonly ErrorCode: string; readonly Message: string };
  };
  readonly Layers?: readonly { readonly Arn: string; readonly CodeSize: number }[];
  readonly PackageType?: string;
  readonly ImageConfigResponse?: { readonly ImageConfig?: ImageConfig };
  readonly EphemeralStorage?: { readonly Size: number };
  readonly SnapStart?: { readonly ApplyOn?: 'PublishedVersions' | 'None' };
  /** Only where init has run since the platform started. */
  readonly Snapshot?: {
    readonly Forks: boolean;
    readonly Blockers: readonly { readonly Kind: string; readonly Detail: string; readonly Place?: string }[];
  };
};

export type ImageConfig = {
  readonly EntryPoint?: readonly string[];
  readonly Command?: readonly string[];
  readonly WorkingDirectory?: string;
};

export type UrlConfig = {
  readonly FunctionUrl: string;
  readonly AuthType: string;
  readonly InvokeMode?: string;
  readonly Cors?: Readonly<Record<string, unknown>>;
};

export const FUNCTIONS = '/2015-03-31/functions';

export const functionPath = (name: string, rest = ''): string => `${FUNCTIONS}/${encodeURIComponent(name)}${rest}`;
export const urlPath = (name: string): string => `/2021-10-31/functions/${encodeURIComponent(name)}/url`;

export async function listFunctions(client: Client): Promise<readonly FunctionConfiguration[]> {
  const all: FunctionConfiguration[] = [];
  let marker: string | undefined;
  do {
    const query = { Marker: marker, MaxItems: 50 };
    const page = await client.call<{ Functions: FunctionConfiguration[]; NextMarker?: string | null }>({
      method: 'GET',
      path: `${FUNCTIONS}/`,
      query,
    });
    all.push(...page.Functions);
    marker = page.NextMarker ?? undefined;
  } while (marker);
  return all;
}

export const findConfiguration = (client: Client, name: string): Promise<FunctionConfiguration | undefined> =>
  client.find<FunctionConfiguration>({ method: 'GET', path: functionPath(name, '/configuration') });

export const getConfiguration = (client: Client, name: string): Promise<FunctionConfiguration> =>
  client.call<FunctionConfiguration>({ method: 'GET', path: functionPath(name, '/configuration') });

export const findUrl = (client: Client, name: string): Promise<UrlConfig | undefined> =>
  client.find<UrlConfig>({ method: 'GET', path: urlPath(name) });

const SETTLE_WITHIN_MS = 60_000;
const POLL_MS = 25;

/** Sends a change, then waits until the function is active and the change has taken hold. */
export async function change(client: Client, request: ApiRequest): Promise<FunctionConfiguration> {
  let state = await client.call<FunctionConfiguration>(request);
  const deadlineMs = performance.now() + SETTLE_WITHIN_MS;
  while (state.State === 'Pending' || state.LastUpdateStatus === 'InProgress') {
    if (performance.now() > deadlineMs)
      throw new HearthError(
        'ResourceNotReadyException',
        `${state.FunctionName} is still ${state.State} after ${SETTLE_WITHIN_MS / 1000} s`,
      );
    await sleep(POLL_MS);
    state = await getConfiguration(client, state.FunctionName);
  }
  if (state.State === 'Failed')
    throw new HearthError('ResourceNotReadyException', `${state.FunctionName} failed: ${state.StateReason ?? 'no reason given'}`);
  if (state.LastUpdateStatus === 'Failed') {
    throw new HearthError(
      'ResourceNotReadyException',
      `the update of ${state.FunctionName} failed: ${state.LastUpdateStatusReason ?? 'no reason given'}`,
    );
  }
  return state;
}
