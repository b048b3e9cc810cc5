/** The functions that a live replay makes for itself on a platform, and takes away again. */
import { randomBytes } from 'node:crypto';
import { HearthError } from '../kernel/mod.ts';
import { zipFiles } from './build/zip.ts';
import type { Client } from './client.ts';
import { FUNCTIONS, change, functionPath, listFunctions } from './lambda.ts';

const PREFIX = 'hearth-replay-';
/** By which they can be told from functions of others that have such a name. */
const TAG = 'hearth:replay';
/** It does nothing for as long as it is told to. */
const CODE = 'export const handler = ({ ms }) => new Promise((done) => setTimeout(done, ms));\n';
const AT_ONCE = 4;

export type LiveFunctions = {
  readonly names: readonly string[];
  /** Takes all of them away, also those that were still being made. */
  remove(): Promise<void>;
};

export async function makeFunctions(client: Client, count: number, signal: AbortSignal): Promise<LiveFunctions> {
  const run = randomBytes(4).toString('hex');
  const names = Array.from({ length: count }, (_, index) => `${PREFIX}${run}-${index}`);
  const made: string[] = [];
  const remove = () => atATime(made, async (name) => void (await client.find({ method: 'DELETE', path: functionPath(name) })));
  const ZipFile = (await zipFiles([{ path: 'index.mjs', content: Buffer.from(CODE), mode: 0o644 }])).toString('base64');
  try {
    await atATime(names, async (FunctionName) => {
      signal.throwIfAborted();
      made.push(FunctionName);
      const body = {
        ...{ FunctionName, Runtime: 'nodejs26.x', Handler: 'index.handler', Role: 'arn:aws:iam::000000000000:role/hearth' },
        ...{ Code: { ZipFile }, Timeout: 30, Tags: { [TAG]: run }, Description: 'made by hearth replay --live, which deletes it' },
      };
      await change(client, { method: 'POST', path: FUNCTIONS, body });
    });
  } catch (error) {
    await remove();
    throw error;
  }
  return { names, remove };
}

/** What an earlier live replay could not take away, because it was killed. */
export async function leftovers(client: Client): Promise<readonly string[]> {
  return (await listFunctions(client)).map(({ FunctionName }) => FunctionName).filter((name) => name.startsWith(PREFIX));
}

/** All are tried, whatever becomes of one; then the first failure is thrown. */
async function atATime(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const next = names.values();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const name of next) await work(name).catch((error: unknown) => void failures.push(error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failures.length === 0) return;
  const [first] = failures;
  throw first instanceof Error ? first : new HearthError('Internal', String(first));
}
