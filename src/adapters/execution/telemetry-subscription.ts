/** What a subscription to telemetry says, as the Telemetry API and, before it, the Logs API have it; and whether it can be. */

export type TelemetryType = 'platform' | 'function' | 'extension';

/** Which of the two APIs a subscription came by: they tell of the same in different words. */
export type TelemetryDialect = 'telemetry' | 'logs';

export type Subscription = {
  readonly dialect: TelemetryDialect;
  readonly schemaVersion: string;
  readonly types: readonly TelemetryType[];
  readonly destination: Destination;
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly timeoutMs: number;
};

export type Destination =
  | { readonly protocol: 'HTTP'; readonly port: number; readonly path: string }
  | { readonly protocol: 'TCP'; readonly port: number };

/** Lambda's. */
const BUFFERING = {
  maxItems: { min: 1_000, max: 10_000, default: 10_000 },
  maxBytes: { min: 262_144, max: 1_048_576, default: 262_144 },
  timeoutMs: { min: 25, max: 30_000, default: 1_000 },
} as const;
const SCHEMAS: Readonly<Record<TelemetryDialect, readonly string[]>> = {
  telemetry: ['2022-07-01', '2022-12-13', '2025-01-29'],
  logs: ['2020-08-15', '2021-03-18'],
};
const TYPES: readonly string[] = ['platform', 'function', 'extension'];
/** Names that lead to the environment itself. */
const HOSTS: readonly string[] = ['sandbox.localdomain', 'sandbox', 'localhost', '127.0.0.1'];
const MAX_PORT = 65_535;

/** The subscription, or all that is wrong with it. `reserved`: the port of these APIs. */
export function readSubscription(text: string, dialect: TelemetryDialect, reserved: number): Subscription | string {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return 'the body is not JSON';
  }
  if (typeof body !== 'object' || body === null) return 'the body is not a JSON object';
  const wrong: string[] = [];
  const {
    schemaVersion = dialect === 'logs' ? SCHEMAS.logs[0] : undefined,
    types,
    buffering = {},
    destination,
  } = body as Record<string, unknown>;
  if (typeof schemaVersion !== 'string' || !SCHEMAS[dialect].includes(schemaVersion))
    wrong.push(`schemaVersion should be one of ${SCHEMAS[dialect].join(', ')}`);
  if (!Array.isArray(types) || types.length === 0) wrong.push('types should not be empty');
  else
    for (const type of types)
      if (!TYPES.includes(type as string)) wrong.push(`type ${JSON.stringify(type)} is not one of ${TYPES.join(', ')}`);
  const numbers = readBuffering(buffering, wrong);
  const leadsTo = readDestination(destination, reserved, wrong);
  if (wrong.length > 0 || leadsTo === undefined) return wrong.join('; ');
  return {
    dialect,
    schemaVersion: schemaVersion as string,
    types: [...new Set(types as TelemetryType[])],
    destination: leadsTo,
    ...numbers,
  };
}

function readBuffering(buffering: unknown, wrong: string[]): Pick<Subscription, keyof typeof BUFFERING> {
  const read = { maxItems: 0, maxBytes: 0, timeoutMs: 0 };
  const given = typeof buffering === 'object' && buffering !== null ? (buffering as Record<string, unknown>) : {};
  for (const name of ['maxItems', 'maxBytes', 'timeoutMs'] as const) {
    const { min, max, default: usual } = BUFFERING[name];
    const value = given[name] ?? usual;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) read[name] = value;
    else wrong.push(`${name} should be a number from ${min} to ${max}`);
  }
  return read;
}

function readDestination(given: unknown, reserved: number, wrong: string[]): Destination | undefined {
  if (typeof given !== 'object' || given === null) {
    wrong.push('destination is not provided');
    return undefined;
  }
  const { protocol, URI, port } = given as Record<string, unknown>;
  if (protocol !== 'HTTP' && protocol !== 'TCP') {
    wrong.push('protocol should be HTTP or TCP');
    return undefined;
  }
  const address = URI === undefined && protocol === 'TCP' ? `tcp://sandbox.localdomain:${String(port)}` : URI;
  const url = typeof address === 'string' && URL.canParse(address) ? new URL(address) : undefined;
  if (!url) wrong.push('URI is not valid');
  else if (url.protocol !== (protocol === 'HTTP' ? 'http:' : 'tcp:'))
    wrong.push(`URI should begin with ${protocol === 'HTTP' ? 'http' : 'tcp'}://`);
  else if (!HOSTS.includes(url.hostname)) wrong.push('URI host should be sandbox.localdomain');
  else {
    const number = portOf(address as string, url);
    if (number === undefined) wrong.push('URI port is not provided');
    else if (number === reserved) wrong.push(`URI port ${reserved} is reserved`);
    else return protocol === 'HTTP' ? { protocol, port: number, path: url.pathname + url.search } : { protocol, port: number };
  }
  return undefined;
}

/** As it was given: that of HTTP is no part of a URL's own idea of it. */
function portOf(address: string, url: URL): number | undefined {
  if (url.port === '' && !/^http:\/\/[^/]*:80(\/|$)/.test(address)) return undefined;
  const port = url.port === '' ? 80 : Number(url.port);
  return port > 0 && port <= MAX_PORT ? port : undefined;
}
