/**
 * Whether a function may reach a host. First the name is looked at, against the grants; then every address that it has. Public addresses
 * are for all who have `public`; what an operator has named may be in a private network, too. A name is no proof of where it leads, so
 * loopback, link-local and metadata addresses have to be granted as what they are.
 */
import type { Egress } from '../protocol/mod.ts';
import { NETWORK_TAG } from '../protocol/mod.ts';
import { addressKind, addressText, parseAddress, sameAddress } from './address.ts';
import type { Address, AddressKind } from './address.ts';

export type Target = { readonly host: string; readonly port: number };

/** By what a target is allowed: `public` for its address, `named` by a name, `literal` as the very address. */
export type Permit =
  | { readonly kind: 'public' | 'named' | 'literal'; readonly target: Target; readonly address: Address | undefined }
  | { readonly kind: 'refused'; readonly reason: string };

/** Mail is what proxies are misused for. */
const SMTP = 25;
const WEB_PORTS: readonly number[] = [80, 443];

export function permitOf(egress: Egress, asked: Target): Permit {
  const address = parseAddress(asked.host);
  const host = address ? addressText(address) : asked.host.toLowerCase().replace(/\.$/, '');
  const target = { host, port: asked.port };
  const { port } = target;
  const named =
    egress.endpoints.some((endpoint) => endpoint.host === host && endpoint.port === port) ||
    egress.hosts.some(
      (grant) => covers(grant.name, grant.below, host) && (grant.port === undefined ? WEB_PORTS.includes(port) : grant.port === port),
    );
  if (named) return { kind: address || host === 'localhost' ? 'literal' : 'named', target, address };
  if (!egress.public) return { kind: 'refused', reason: `${host}:${port} is not granted. ${grantFor(target)}` };
  if (port === SMTP) return { kind: 'refused', reason: `port ${SMTP} is closed unless it is granted by name. ${grantFor(target)}` };
  return { kind: 'public', target, address };
}

/** Why a permitted target must not be reached at this address after all. `own`: the addresses of this machine. */
export function addressRefusal(
  permit: Exclude<Permit, { kind: 'refused' }>,
  address: Address,
  own: readonly Address[],
): string | undefined {
  const kind = addressKind(address);
  const { host } = permit.target;
  const text = addressText(address);
  const is = host === text ? `${text} is` : `${host} is at ${text},`;
  switch (permit.kind) {
    case 'literal':
      return undefined;
    case 'named':
      if (kind === 'public' || kind === 'private' || kind === 'shared') return undefined;
      return `${is} ${PHRASES[kind]}. Only a grant of that very address leads there`;
    case 'public':
      if (kind !== 'public') return `${is} ${PHRASES[kind]}. ${grantFor(permit.target)}`;
      if (own.some((one) => sameAddress(one, address))) return `${is} an address of the host itself. ${grantFor(permit.target)}`;
      return undefined;
  }
}

function covers(name: string, below: boolean, host: string): boolean {
  return below ? host.length > name.length + 1 && host.endsWith(`.${name}`) : host === name;
}

function grantFor({ host, port }: Target): string {
  const named = host.includes(':') ? 'a name that leads there' : `${host}${WEB_PORTS.includes(port) ? '' : `:${port}`}`;
  return `The tag ${NETWORK_TAG} of the function would allow it with ${named}`;
}

const PHRASES: Readonly<Record<Exclude<AddressKind, 'public'>, string>> = {
  unspecified: 'no address of a host',
  loopback: 'a loopback address',
  private: 'an address in a private network',
  shared: 'an address shared inside a provider',
  linkLocal: 'a link-local address',
  metadata: 'where clouds keep their metadata',
  documentation: 'an address for documentation',
  benchmarking: 'an address for benchmarks',
  multicast: 'a multicast address',
  broadcast: 'the broadcast address',
  transition: 'an address that carries another one',
  reserved: 'a reserved address',
};
