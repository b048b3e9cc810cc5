import { resolve } from 'node:path';
import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { Ahead, MemoryLimit, StandaloneOptions } from '../main/mod.ts';
import type { Context } from './context.ts';
import { onSignal } from './signals.ts';
import { parseSpan } from './text.ts';

export type { Ahead } from '../main/mod.ts';

export type UpOptions = {
  readonly port: string;
  readonly host: string;
  readonly data?: string;
  readonly keyFile?: string;
  readonly auth?: boolean;
  readonly concurrency: string;
  readonly keepAlive?: string;
  readonly memory: string;
  readonly evict: 'value' | 'lru' | 'greedy-dual';
  readonly warming: NonNullable<StandaloneOptions['warming']>;
  readonly warmingPrice?: string;
  readonly warmingSpeed: string;
  readonly driver: 'auto' | 'linux' | 'spawn';
};

/** Begins what `up` waits for longest. Close it when the platform did not start. */
export async function ahead(): Promise<Ahead> {
  const begun = (await import('../main/mod.ts')).startAhead();
  await begun.started;
  return begun;
}

/** Starts the platform and stays until a signal ends it. With --json exactly one line on stdout, once it answers. */
export async function up(context: Context, options: UpOptions, begun: Ahead | undefined): Promise<void> {
  // Sandboxes that start and end keep no process alive by themselves; the platform is to see them through.
  const awake = setInterval(() => undefined, 60_000);
  try {
    await runPlatform(context, options, begun);
  } finally {
    clearInterval(awake);
  }
}

async function runPlatform({ out, environment, directory }: Context, options: UpOptions, begun: Ahead | undefined): Promise<void> {
  const { startStandalone, openLog } = await import('../main/mod.ts');
  const data = resolve(directory, options.data ?? (environment['HEARTH_DATA'] || '.hearth'));
  const keyFile = options.keyFile ?? (environment['HEARTH_KEY_FILE'] || undefined);
  const ended = new Promise<unknown>((resolve) => onSignal(resolve));
  const hearth = await startStandalone({
    dataDirectory: data,
    ...(keyFile !== undefined && { keyFile: resolve(directory, keyFile) }),
    host: options.host,
    port: portOf(options.port),
    auth: options.auth ?? false,
    driver: options.driver,
    concurrency: concurrencyOf(options.concurrency),
    ...(options.keepAlive !== undefined && { keepAliveMs: keepAliveOf(options.keepAlive) }),
    memory: memoryOf(options.memory),
    eviction: options.evict,
    warming: options.warming,
    ...(options.warmingPrice !== undefined && { warmingOptions: { priceMiBSeconds: priceOf(options.warmingPrice) } }),
    warmingSpeed: speedOf(options.warmingSpeed),
    // For people the line below says all there is to say.
    log: await openLog({ json: out.json, level: environment['HEARTH_LOG'] || (out.json ? 'info' : 'warn') }),
    ...(begun && { ahead: begun }),
  });
  out.result({ ready: true, url: hearth.url }, () => {
    const isolation = hearth.isolated ? 'isolated' : out.paint.yellow('WITHOUT isolation ("hearth doctor" says why)');
    return [
      `Hearth answers at ${out.paint.bold(hearth.url)}`,
      out.paint.dim(`functions run ${isolation}, driver ${hearth.driver}; data in ${data}`),
    ].join('\n');
  });
  await ended;
  out.note('finishing what runs; once more to end at once');
  await hearth.close();
  // Whatever a library may still hold open must not keep a closed platform around.
  process.exit(0);
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new HearthError('BadUsage', `--port ${text}: give a number from 0 to 65535; 0 takes any free port`);
}

function concurrencyOf(text: string): number {
  const concurrency = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (concurrency >= LIMITS.unreservedConcurrency) return concurrency;
  throw new HearthError('BadUsage', `--concurrency ${text}: give a number from ${LIMITS.unreservedConcurrency} to 999999`);
}

const LONGEST_KEEP_ALIVE_MS = 7 * 24 * 3_600_000;

function keepAliveOf(text: string): number {
  const ms = parseSpan(text);
  if (ms !== undefined && ms > 0 && ms <= LONGEST_KEEP_ALIVE_MS) return ms;
  throw new HearthError('BadUsage', `--keep-alive ${text}: give a time span such as 30s, 10m or 2h, of at most 7d`);
}

function priceOf(text: string): number {
  const price = Number(text);
  if (!(price >= 0 && price <= MOST_PRICE))
    throw new HearthError('BadUsage', `--warming-price ${text}: give MiB seconds, 0 to ${MOST_PRICE}`);
  return price;
}

const MOST_PRICE = 1e9;

function speedOf(text: string): number {
  const { min, max } = LIMITS.warmingSpeed;
  const speed = /^\d{1,4}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (speed >= min && speed <= max) return speed;
  throw new HearthError('BadUsage', `--warming-speed ${text}: give a number from ${min} to ${max}`);
}

function memoryOf(text: string): MemoryLimit {
  const [, digits, unit] = /^(\d{1,6})(MiB|GiB|%)$/.exec(text) ?? [];
  const number = Number(digits);
  if (unit === '%' && number >= 1 && number <= 100) return { kind: 'part', percent: number };
  const mib = unit === 'GiB' ? number * 1024 : number;
  if (unit !== undefined && unit !== '%' && mib >= LEAST_MEMORY_MIB) return { kind: 'size', mib };
  throw new HearthError(
    'BadUsage',
    `--memory ${text}: give a size from ${LEAST_MEMORY_MIB}MiB on, such as 512MiB or 4GiB, or a part from 1% to 100%`,
  );
}

/** With less there is hardly room for one function. */
const LEAST_MEMORY_MIB = 64;
