/**
 * What a function may reach, as it is written in a tag of the function: words with spaces between them, of the characters that tags may have.
 *
 *   (no tag)                    public addresses, by the proxy
 *   none                        nothing
 *   host                        all that the host reaches: without a network of its own
 *   public                      public addresses, when other words are there too
 *   api.example.com             this host, at ports 80 and 443
 *   .example.com:8443           all hosts below example.com, at that port
 *   tcp:db.internal:5432        this host's port, which is there inside under the same name
 */
import { HearthError } from '../kernel/mod.ts';

export type Network = { readonly kind: 'none' } | { readonly kind: 'host' } | Egress;

/** By the proxy, and by a port inside for each endpoint. */
export type Egress = {
  readonly kind: 'egress';
  /** Whatever has a public address. */
  readonly public: boolean;
  readonly hosts: readonly HostGrant[];
  readonly endpoints: readonly Endpoint[];
};

/** `below`: the hosts below this name, and not that itself. Without `port`: 80 and 443. */
export type HostGrant = { readonly name: string; readonly below: boolean; readonly port?: number };

/** `host`: a name, or an IPv4 address. */
export type Endpoint = { readonly host: string; readonly port: number };

export const NETWORK_TAG = 'hearth:network';
export const API_TAG = 'hearth:api';

/** Where a function finds the proxy and the platform's own API: at this port of its own loopback. */
export const INSIDE_PORT = 4566;

export const DEFAULT_NETWORK: Egress = { kind: 'egress', public: true, hosts: [], endpoints: [] };

/** Each has a socket in every sandbox of the function. */
const MAX_ENDPOINTS = 16;

/** Undefined: nothing is written. Throws HearthError `InvalidParameterValueException`. */
export function parseNetwork(text: string | undefined): Network {
  if (text === undefined) return DEFAULT_NETWORK;
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) throw wrong('is empty. Remove the tag for the default, public addresses; or write none');
  const [only] = words;
  if (words.length === 1 && (only === 'none' || only === 'host')) return { kind: only };
  const hosts: HostGrant[] = [];
  const endpoints: Endpoint[] = [];
  for (const word of words) {
    if (word === 'none' || word === 'host') throw wrong(`has '${word}' beside other words; it stands alone`);
    if (word === 'public') continue;
    if (word.startsWith('tcp:')) addEndpoint(endpoints, parseEndpoint(word));
    else hosts.push(parseHost(word));
  }
  if (endpoints.length > MAX_ENDPOINTS) throw wrong(`names ${endpoints.length} TCP endpoints; ${MAX_ENDPOINTS} is the most`);
  return { kind: 'egress', public: words.includes('public'), hosts, endpoints };
}

/** What the tag `hearth:api` says: whether a function may change things, or only invoke. Throws HearthError `InvalidParameterValueException`. */
export function parseApiGrant(text: string | undefined): 'invoke' | 'control' {
  if (text === undefined || text === 'invoke') return 'invoke';
  if (text === 'control') return 'control';
  throw new HearthError(
    'InvalidParameterValueException',
    `The tag ${API_TAG} is '${text}'. Write invoke (the default: the function may invoke functions) or control (the whole API).`,
  );
}

function addEndpoint(endpoints: Endpoint[], endpoint: Endpoint): void {
  const known = endpoints.some(({ host, port }) => host === endpoint.host && port === endpoint.port);
  if (!known) endpoints.push(endpoint);
}

function parseEndpoint(word: string): Endpoint {
  const [, host, port] = /^tcp:([^:]+):(\d+)$/.exec(word) ?? [];
  if (host === undefined) throw wrong(`has '${word}', which is no TCP endpoint. Write tcp:NAME:PORT, e.g. tcp:db.internal:5432`);
  const endpoint = { host: checkHost(host, word), port: checkPort(port!, word) };
  if (/^(?:0|22[4-9]|2[345]\d)\.\d+\.\d+\.\d+$/.test(endpoint.host)) throw wrong(`has '${word}', and ${host} is no address of a host`);
  if (insideAddress(endpoint.host) === '127.0.0.1' && endpoint.port === INSIDE_PORT)
    throw wrong(`has '${word}': inside, port ${INSIDE_PORT} of 127.0.0.1 is the platform itself`);
  return endpoint;
}

function parseHost(word: string): HostGrant {
  const [, dot, name, port] = /^(\.?)([^:]+)(?::(\d+))?$/.exec(word) ?? [];
  if (name === undefined)
    throw wrong(`has '${word}', which is no host. Write NAME, NAME:PORT, .NAME for all hosts below it, or tcp:NAME:PORT`);
  const below = dot === '.';
  const checked = checkHost(name, word);
  if (below && IPV4.test(checked)) throw wrong(`has '${word}': there are no hosts below an address`);
  return { name: checked, below, ...(port !== undefined && { port: checkPort(port, word) }) };
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

function checkHost(text: string, word: string): string {
  const host = text.toLowerCase();
  const labels = host.split('.');
  // What ends with a number would be an address to a resolver, in one notation or another.
  const numeric = /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!);
  if (numeric ? IPV4.test(host) : host.length <= 253 && labels.every((label) => LABEL.test(label))) return host;
  throw wrong(`has '${word}': '${text}' is neither a host name nor an IPv4 address in its usual notation`);
}

function checkPort(text: string, word: string): number {
  const port = Number(text);
  if (port >= 1 && port <= 65_535) return port;
  throw wrong(`has '${word}': ${text} is no port`);
}

/** Where an endpoint has to be inside so that its name, or the address itself, leads there; undefined: at an address made up for it. */
export function insideAddress(host: string): string | undefined {
  return host === 'localhost' ? '127.0.0.1' : IPV4.test(host) ? host : undefined;
}

function wrong(what: string): HearthError {
  return new HearthError('InvalidParameterValueException', `The tag ${NETWORK_TAG} ${what}.`);
}
