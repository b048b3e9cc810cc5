/** The platform that a live replay drives: the one that was named, if it decides as it is asked to, or one of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { WarmingReport } from '../protocol/mod.ts';
import { DEFAULT_POLICY, parseChoice } from '../replay/mod.ts';
import type { LivePolicy, PolicyChoice } from '../replay/mod.ts';
import { createClient } from './client.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { numberIn } from './replay-options.ts';

/** Undefined: whatever it is there. */
export type Asked = { readonly choice: PolicyChoice | undefined; readonly speed: string | undefined };

export type LivePlatform = {
  readonly client: Client;
  readonly endpoint: string;
  /** Whether it was started for this. */
  readonly own: boolean;
  /** Trace time over real time, with which it is to be driven. */
  readonly speed: number;
  /** How long it keeps an idle instance in real time, if it has `fixed`. */
  readonly keepAliveMs: number;
  /** How it decides now. */
  readonly decides: () => Promise<LivePolicy>;
  close(): Promise<void>;
};

const DEFAULT_SPEED = 60;
const MINUTE_MS = 60_000;

export async function openLivePlatform(context: Context, asked: Asked): Promise<LivePlatform> {
  return context.endpointNamed ? named(context, asked) : own(context, asked);
}

async function named({ client, endpoint }: Context, asked: Asked): Promise<LivePlatform> {
  const told = await toldBy(client, endpoint);
  const { speed } = told;
  const driven = asked.speed === undefined ? undefined : numberIn('--speed', asked.speed, { min: 1, max: 100_000 });
  // `fixed` looks no further than it keeps: a keep-alive that was made shorter is as good as a clock that goes faster.
  const realTime = speed === 1 && told.policy === 'fixed';
  const wanted = { choice: asked.choice ?? choiceOf(told), speed: driven ?? (speed === 1 ? DEFAULT_SPEED : speed) };
  if (!realTime && speed === 1)
    throw refusal(endpoint, wanted, `runs the policy "${told.policy}" in real time, and a trace is driven in less`);
  if (!realTime && wanted.speed !== speed) throw refusal(endpoint, wanted, `runs --warming-speed ${speed}`);
  if (!agrees(wanted.choice, told, realTime)) throw refusal(endpoint, wanted, `decides otherwise: by ${textOf(choiceOf(told))}`);
  // Slower than that, and instances would be kept for less than a minute of the trace, which is what it counts in.
  const slowest = realTime ? Math.max(1, Math.ceil(MINUTE_MS / told.keepMs)) : speed;
  if (driven !== undefined) numberIn('--speed', asked.speed!, { min: slowest, max: 100_000 });
  const traceSpeed = Math.max(slowest, wanted.speed);
  return {
    client,
    endpoint,
    own: false,
    speed: traceSpeed,
    keepAliveMs: told.keepMs / speed,
    decides: async () => decisionOf(await toldBy(client, endpoint), realTime ? traceSpeed : 1),
    close: async () => {},
  };
}

async function own(
  { environment, out }: Context,
  { choice = DEFAULT_POLICY, speed: text = String(DEFAULT_SPEED) }: Asked,
): Promise<LivePlatform> {
  const speed = numberIn('--speed', text, SPEED);
  const { openLog, startStandalone } = await import('../main/mod.ts');
  const dataDirectory = await mkdtemp(join(tmpdir(), 'hearth-replay-'));
  // Sandboxes that start and end keep no process alive by themselves.
  const awake = setInterval(() => undefined, MINUTE_MS);
  const opened = new AsyncDisposableStack();
  opened.defer(() => clearInterval(awake));
  opened.defer(() => rm(dataDirectory, { recursive: true, force: true }));
  try {
    const { name, minutes, price } = choice;
    const hearth = await startStandalone({
      ...{ dataDirectory, host: '127.0.0.1', port: 0, auth: false, driver: 'auto', warming: name, warmingSpeed: speed },
      warmingOptions: {
        ...(minutes !== undefined && { keepMs: minutes * MINUTE_MS }),
        ...(price !== undefined && { priceMiBSeconds: price }),
      },
      log: await openLog({ json: out.json, level: environment['HEARTH_LOG'] || 'warn' }),
      drainMs: LAST_CALLS_MS,
    });
    opened.defer(() => hearth.close());
    const client = createClient({ endpoint: hearth.url, environment });
    const told = await toldBy(client, hearth.url);
    return {
      client,
      endpoint: hearth.url,
      own: true,
      speed,
      keepAliveMs: told.keepMs / speed,
      decides: async () => decisionOf(await toldBy(client, hearth.url), 1),
      close: () => opened.disposeAsync(),
    };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** At 1 a platform's policy weighs what functions take themselves, and not what they stand for. */
const SPEED = { min: 2, max: LIMITS.warmingSpeed.max };
/** Its calls do nothing for half a second at most. */
const LAST_CALLS_MS = 1_000;

async function toldBy(client: Client, endpoint: string): Promise<WarmingReport> {
  try {
    return await client.call<WarmingReport>({ method: 'GET', path: '/_hearth/warming' });
  } catch (error) {
    if (!(error instanceof HearthError) || error.code !== 'NotFound') throw error;
    const message = `the Hearth at ${endpoint} does not say how it decides: it is older than this command`;
    throw new HearthError('BadRequest', message, { cause: error });
  }
}

/** `times`: by how much its time is slower than the trace's. */
function decisionOf({ policy, keepMs, priceMiBSeconds, shared }: WarmingReport, times: number): LivePolicy {
  const choice = parseChoice(policy);
  if (!choice) throw new HearthError('BadRequest', `this command does not know the policy "${policy}"`);
  const options = { keepMs: keepMs * times, priceMiBSeconds };
  return { name: choice.name, options, shared: new Uint8Array(Buffer.from(shared, 'base64')) };
}

function choiceOf({ policy, keepMs, priceMiBSeconds }: WarmingReport): PolicyChoice {
  const { name } = parseChoice(policy) ?? DEFAULT_POLICY;
  if (name === 'fixed') return { name, minutes: keepMs / MINUTE_MS };
  return name === 'hazard' ? { name, price: priceMiBSeconds } : { name };
}

/** `anyMinutes`: how long it keeps is as good as any other time, at another speed. */
function agrees({ name, minutes, price }: PolicyChoice, told: WarmingReport, anyMinutes: boolean): boolean {
  const its = choiceOf(told);
  if (name !== told.policy || (price !== undefined && price !== its.price)) return false;
  return anyMinutes || minutes === undefined || minutes === its.minutes;
}

function refusal(
  endpoint: string,
  { choice, speed }: { readonly choice: PolicyChoice; readonly speed: number },
  what: string,
): HearthError {
  return new HearthError(
    'BadUsage',
    `the Hearth at ${endpoint} ${what}: start one with "hearth up ${upOptions(choice)} --warming-speed ${speed}", or leave --endpoint and HEARTH_ENDPOINT out, and one is started for this`,
  );
}

function upOptions({ name, minutes, price }: PolicyChoice): string {
  if (minutes !== undefined) return `--warming ${name} --keep-alive ${minutes * 60}s`;
  return `--warming ${name}${price === undefined ? '' : ` --warming-price ${price}`}`;
}

const textOf = (choice: PolicyChoice): string => `"${upOptions(choice)}"`;
