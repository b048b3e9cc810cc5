import { HearthError } from '../kernel/mod.ts';
import { createClient } from './client.ts';
import type { Client } from './client.ts';
import { createOutput } from './output.ts';
import type { Output } from './output.ts';

/** What every verb is given. */
export type Context = {
  readonly out: Output;
  readonly client: Client;
  readonly endpoint: string;
  /** Whether somebody named it. */
  readonly endpointNamed: boolean;
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
};

/** The options that every verb takes. */
export type GlobalOptions = { readonly json?: boolean; readonly endpoint?: string };

export const DEFAULT_ENDPOINT = 'http://127.0.0.1:4566';

export function createContext(options: GlobalOptions): Context {
  const named = options.endpoint ?? process.env['HEARTH_ENDPOINT'];
  const endpoint = checkedEndpoint(named ?? DEFAULT_ENDPOINT);
  const out = createOutput({ json: options.json ?? false });
  return {
    out,
    endpoint,
    endpointNamed: named !== undefined,
    client: createClient({ endpoint, environment: process.env }),
    environment: process.env,
    directory: process.cwd(),
  };
}

function checkedEndpoint(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new HearthError('BadUsage', `${JSON.stringify(text)} is not an endpoint: give a URL such as ${DEFAULT_ENDPOINT}`);
  }
  return url.origin;
}
