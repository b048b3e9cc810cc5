/**
 * What an IP address is for. Two things are kept apart: reading one, in every notation that a resolver would take, and telling whether it
 * is a public one. The ranges are those of IANA's special-purpose registries (RFC 6890 and what has been added since), and the addresses
 * at which clouds keep their metadata.
 */

/** `value`: 32 bits, or 128. */
export type Address = { readonly family: 4 | 6; readonly value: bigint };

export type AddressKind =
  | 'public'
  | 'unspecified'
  | 'loopback'
  | 'private'
  | 'shared'
  | 'linkLocal'
  | 'metadata'
  | 'documentation'
  | 'benchmarking'
  | 'multicast'
  | 'broadcast'
  | 'transition'
  | 'reserved';

/** Also what getaddrinfo(3) takes for IPv4: one to four numbers, decimal, octal or hexadecimal. A zone (`%eth0`) and brackets are left out. */
export function parseAddress(text: string): Address | undefined {
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  if (!bare.includes(':')) return parseFour(bare);
  const value = parseSix(/^([^%]*)%[^%]+$/.exec(bare)?.[1] ?? bare);
  return value === undefined ? undefined : { family: 6, value };
}

/** The usual notation: dotted, or groups of four hexadecimal digits without zeros in front. */
export function addressText({ family, value }: Address): string {
  const size = family === 4 ? 8n : 16n;
  const count = family === 4 ? 4 : 8;
  const mask = (1n << size) - 1n;
  const parts = Array.from({ length: count }, (_, i) => (value >> (size * BigInt(count - 1 - i))) & mask);
  return family === 4 ? parts.join('.') : parts.map((part) => part.toString(16)).join(':');
}

export function addressKind({ family, value }: Address): AddressKind {
  if (family === 4) return find(FOUR, value, 32) ?? 'public';
  for (const { prefix, bits } of CARRIERS) if (within(value, 128, prefix, bits)) return addressKind({ family: 4, value: value & LOW_32 });
  // Whatever is outside of global unicast has no way to be public.
  return find(SIX, value, 128) ?? (within(value, 128, 0x2000n << 112n, 3) ? 'public' : 'reserved');
}

/** An address that carries an IPv4 address is that address. */
export function sameAddress(one: Address, other: Address): boolean {
  const [a, b] = [carried(one), carried(other)];
  return a.family === b.family && a.value === b.value;
}

function carried(address: Address): Address {
  const carrier = address.family === 6 && CARRIERS.find(({ prefix, bits }) => within(address.value, 128, prefix, bits));
  return carrier ? { family: 4, value: address.value & LOW_32 } : address;
}

function parseFour(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length > 4) return undefined;
  const numbers = parts.map(parseNumber);
  if (numbers.some((number) => number === undefined)) return undefined;
  const last = BigInt(numbers.at(-1)!);
  // The last number fills what the others have left.
  if (last >= 1n << BigInt(8 * (5 - parts.length))) return undefined;
  let value = 0n;
  for (const [i, number] of (numbers as number[]).slice(0, -1).entries()) {
    if (number > 255) return undefined;
    value |= BigInt(number) << BigInt(24 - 8 * i);
  }
  return { family: 4, value: value | last };
}

function parseNumber(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]{1,8}$/.test(text)) return Number.parseInt(text, 16);
  if (/^0[0-7]{0,11}$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

function parseSix(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [before, after] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const groups = [before!, after ?? []].map((half, i) => parseGroups(half, i === halves.length - 1));
  if (groups.some((half) => half === undefined)) return undefined;
  const [head, tail] = groups as [bigint[], bigint[]];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...Array<bigint>(missing).fill(0n), ...tail].reduce((value, group) => (value << 16n) | group, 0n);
}

/** `last`: these are the last ones, and may end with a dotted IPv4 address. */
function parseGroups(texts: readonly string[], last: boolean): bigint[] | undefined {
  const groups: bigint[] = [];
  for (const [i, text] of texts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(text)) groups.push(BigInt(`0x${text}`));
    else if (last && i === texts.length - 1 && /^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
      const bytes = text.split('.').map(Number);
      if (bytes.some((byte) => byte > 255)) return undefined;
      groups.push(BigInt(bytes[0]! * 256 + bytes[1]!), BigInt(bytes[2]! * 256 + bytes[3]!));
    } else return undefined;
  }
  return groups;
}

const LOW_32 = 0xffff_ffffn;

/** The first that holds counts. */
type Range = { readonly prefix: bigint; readonly bits: number; readonly kind: AddressKind };

function four(cidr: string, kind: AddressKind): Range {
  const [address, bits] = cidr.split('/') as [string, string];
  return { prefix: parseFour(address)!.value, bits: Number(bits), kind };
}

function six(cidr: string, kind: AddressKind): Range {
  const [address, bits] = cidr.split('/') as [string, string];
  return { prefix: parseSix(address)!, bits: Number(bits), kind };
}

const FOUR: readonly Range[] = [
  four('169.254.169.254/32', 'metadata'),
  // The host's agent on Azure, at a public address.
  four('168.63.129.16/32', 'metadata'),
  four('0.0.0.0/8', 'unspecified'),
  four('10.0.0.0/8', 'private'),
  four('100.64.0.0/10', 'shared'),
  four('127.0.0.0/8', 'loopback'),
  four('169.254.0.0/16', 'linkLocal'),
  four('172.16.0.0/12', 'private'),
  four('192.0.0.0/24', 'reserved'),
  four('192.0.2.0/24', 'documentation'),
  four('192.88.99.0/24', 'transition'),
  four('192.168.0.0/16', 'private'),
  four('198.18.0.0/15', 'benchmarking'),
  four('198.51.100.0/24', 'documentation'),
  four('203.0.113.0/24', 'documentation'),
  four('224.0.0.0/4', 'multicast'),
  four('255.255.255.255/32', 'broadcast'),
  four('240.0.0.0/4', 'reserved'),
];

/** IPv4-mapped addresses, and those that a NAT64 translates. */
const CARRIERS = [six('::ffff:0:0/96', 'public'), six('64:ff9b::/96', 'public')];

const SIX: readonly Range[] = [
  six('fd00:ec2::254/128', 'metadata'),
  six('fd20:ce::254/128', 'metadata'),
  six('::/128', 'unspecified'),
  six('::1/128', 'loopback'),
  six('fc00::/7', 'private'),
  six('fe80::/10', 'linkLocal'),
  six('ff00::/8', 'multicast'),
  // Teredo and 6to4 carry an IPv4 address to whoever unpacks it.
  six('2001::/32', 'transition'),
  six('2002::/16', 'transition'),
  six('2001:2::/48', 'benchmarking'),
  six('2001::/23', 'reserved'),
  six('2001:db8::/32', 'documentation'),
  six('3fff::/20', 'documentation'),
];

const find = (ranges: readonly Range[], value: bigint, width: number): AddressKind | undefined =>
  ranges.find(({ prefix, bits }) => within(value, width, prefix, bits))?.kind;

const within = (value: bigint, width: number, prefix: bigint, bits: number): boolean => {
  const rest = BigInt(width - bits);
  return value >> rest === prefix >> rest;
};
