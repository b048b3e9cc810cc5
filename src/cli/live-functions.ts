/** The functions that a live replay makes for itself on a platform, and takes away again; and what such a function takes there. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthError } from '../kernel/mod.ts';
import { REPLAY_TAG, replayTagText } from '../protocol/mod.ts';
import type { WarmReport } from '../protocol/mod.ts';
import type { LiveCosts } from '../replay/mod.ts';
import { zipFiles } from './build/zip.ts';
import type { Client } from './client.ts';
import { FUNCTIONS, change, functionPath, listFunctions } from './lambda.ts';

const PREFIX = 'hearth-replay-';
/** It does nothing for as long as it is told to. */
const CODE = 'export const handler = ({ ms }) => new Promise((done) => setTimeout(done, ms));\n';
const DESCRIPTION = 'made by hearth replay --live, which deletes it';
const AT_ONCE = 4;

export type LiveFunctions = {
  readonly names: readonly string[];
  /** Takes all of them away, also those that were still being made. */
  remove(): Promise<void>;
};

/** What a function is to stand for; one that stands for itself is measured. */
export type StandIn = { readonly application: string; readonly costs?: LiveCosts };

export async function makeFunctions(client: Client, standIns: readonly StandIn[], signal: AbortSignal): Promise<LiveFunctions> {
  const run = randomBytes(4).toString('hex');
  const names = standIns.map((_, index) => `${PREFIX}${run}-${index}`);
  // Names of a trace may be no tags.
  const numbers = new Map([...new Set(standIns.map(({ application }) => application))].map((name, index) => [name, index]));
  const tagsOf = ({ application, costs }: StandIn) => ({
    'hearth:application': `${PREFIX}${run}-${numbers.get(application)!}`,
    ...(costs && { [REPLAY_TAG]: replayTagText(costs) }),
  });
  const made: string[] = [];
  const remove = () => atATime(made, async (name) => void (await client.find({ method: 'DELETE', path: functionPath(name) })));
  const ZipFile = (await zipFiles([{ path: 'index.mjs', content: Buffer.from(CODE), mode: 0o644 }])).toString('base64');
  try {
    await atATime(names, async (FunctionName, index) => {
      signal.throwIfAborted();
      made.push(FunctionName);
      const body = {
        ...{ FunctionName, Runtime: 'nodejs26.x', Handler: 'index.handler', Role: 'arn:aws:iam::000000000000:role/hearth' },
        ...{ Code: { ZipFile }, Timeout: 30, Tags: tagsOf(standIns[index]!), Description: DESCRIPTION },
      };
      await change(client, { method: 'POST', path: FUNCTIONS, body });
    });
  } catch (error) {
    await remove();
    throw error;
  }
  return { names, remove };
}

/** The first of them find a platform that has just begun. */
const PROBES = 7;

/**
 * What one such function takes on this platform, and what holding it saves: of several, one after another, one of the quickest. A platform that makes
 * functions has more to do at the time than one that is driven.
 */
export async function measureFunctions(client: Client, signal: AbortSignal): Promise<LiveCosts> {
  const measured: LiveCosts[] = [];
  for (let probe = 0; probe < PROBES; probe++) {
    const made = await makeFunctions(client, [{ application: '' }], signal);
    try {
      await untilBooted(client, signal);
      const [name] = made.names;
      // One call has no gap: nothing is learnt from it.
      await client.call({ method: 'POST', path: functionPath(name!, '/invocations'), body: { ms: 1 }, signal });
      measured.push(await costsOf(client, name!, signal));
    } finally {
      await made.remove();
    }
  }
  return measured.toSorted((one, other) => one.instance.savedMs - other.instance.savedMs)[Math.floor(PROBES / 4)]!;
}

/** As the platform has measured it. The function was called. */
async function costsOf(client: Client, name: string, signal: AbortSignal): Promise<LiveCosts> {
  const { versions } = await client.call<WarmReport>({ method: 'GET', path: `/_hearth/functions/${name}/warm`, signal });
  const policy = versions[0]?.policy;
  if (!policy) throw new HearthError('Internal', `the platform has measured nothing of ${name}, which was called`);
  const { instanceMiB, templateMiB, instanceSavesMs, templateSavesMs } = policy;
  return {
    instance: { memoryMiB: instanceMiB, savedMs: instanceSavesMs },
    ...(templateMiB !== null && templateSavesMs !== null && { template: { memoryMiB: templateMiB, savedMs: templateSavesMs } }),
  };
}

const BOOTED_WITHIN_MS = 60_000;
const LOOKS_EVERY_MS = 50;

/** A function that was just made is booted ahead of its first call; whoever calls all of them at once waits. */
export async function untilBooted(client: Client, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + BOOTED_WITHIN_MS;
  for (;;) {
    const { host } = await client.call<{ host: { boots: { going: number; waiting: number } } }>({
      method: 'GET',
      path: '/_hearth/stats',
      signal,
    });
    if ((host.boots.going === 0 && host.boots.waiting === 0) || performance.now() > deadlineMs) return;
    await sleep(LOOKS_EVERY_MS, undefined, { signal });
  }
}

/** What an earlier live replay could not take away, because it was killed. */
export async function leftovers(client: Client): Promise<readonly string[]> {
  return (await listFunctions(client)).map(({ FunctionName }) => FunctionName).filter((name) => name.startsWith(PREFIX));
}

/** All are tried, whatever becomes of one; then the first failure is thrown. */
async function atATime(names: readonly string[], work: (name: string, index: number) => Promise<void>): Promise<void> {
  const next = names.entries();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const [index, name] of next) await work(name, index).catch((error: unknown) => void failures.push(error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failures.length === 0) return;
  const [first] = failures;
  throw first instanceof Error ? first : new HearthError('Internal', String(first));
}
