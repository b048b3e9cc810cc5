/** What a function may reach: tags of it, which any other client of the Lambda API can set as well. */
import { HearthError } from '../kernel/mod.ts';
import { API_TAG, NETWORK_TAG, parseNetwork, WASM_TAG } from '../protocol/mod.ts';
import type { Network } from '../protocol/mod.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { getConfiguration } from './lambda.ts';

export type NetworkOptions = { readonly default?: boolean; readonly api?: string };

/** Shows the grant, or sets it: to the words given, or back to the default. */
export async function network({ out, client }: Context, name: string, options: NetworkOptions, words: readonly string[]): Promise<void> {
  if (options.default && words.length > 0)
    throw new HearthError('BadUsage', `either --default or a grant: "${words.join(' ')}" cannot be both`);
  const { FunctionArn } = await getConfiguration(client, name);
  const tags = {
    ...(words.length > 0 && { [NETWORK_TAG]: words.join(' ') }),
    ...(options.api !== undefined && { [API_TAG]: options.api }),
  };
  if (options.default) await client.send({ method: 'DELETE', path: tagsPath(FunctionArn), query: { tagKeys: NETWORK_TAG } });
  if (Object.keys(tags).length > 0) await client.send({ method: 'POST', path: tagsPath(FunctionArn), body: { Tags: tags } });
  const { wasm: _, ...grant } = await getGrant(client, FunctionArn);
  out.result(
    { name, ...grant },
    () => `${name} reaches ${describe(parseNetwork(grant.network ?? undefined))}; of the API it has: ${grant.api}`,
  );
}

/** `network`: null without a tag. */
export type Grant = { readonly network: string | null; readonly api: string; readonly wasm: string | null };

export async function getGrant(client: Client, arn: string): Promise<Grant> {
  const { Tags = {} } = await client.call<{ Tags?: Readonly<Record<string, string>> }>({ method: 'GET', path: tagsPath(arn) });
  return { network: Tags[NETWORK_TAG] ?? null, api: Tags[API_TAG] ?? 'invoke', wasm: Tags[WASM_TAG] ?? null };
}

export const tagsPath = (arn: string): string => `/2017-03-31/tags/${encodeURIComponent(arn)}`;

function describe(granted: Network): string {
  switch (granted.kind) {
    case 'none':
      return 'nothing';
    case 'host':
      return 'all that the host reaches: it has no network of its own';
    case 'egress': {
      const hosts = granted.hosts.map(({ name, below, port }) => `${below ? '.' : ''}${name}${port === undefined ? '' : `:${port}`}`);
      const endpoints = granted.endpoints.map(({ host, port }) => `tcp:${host}:${port}`);
      return [...(granted.public ? ['public addresses'] : []), ...hosts, ...endpoints].join(', ');
    }
  }
}
