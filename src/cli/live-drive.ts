import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveCall } from '../replay/mod.ts';
import type { Client } from './client.ts';
import { functionPath } from './lambda.ts';

export type Drive = {
  /** When each call was sent, in milliseconds from the beginning. */
  readonly sentMs: Float64Array;
  /** By how much calls were sent after their time, milliseconds. */
  readonly late: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  readonly failed: number;
  /** The message of the first that failed. */
  readonly failure: string | undefined;
};

export type DriveOptions = {
  readonly client: Client;
  /** By the number that calls have. */
  readonly names: readonly string[];
  /** In order of their times. */
  readonly calls: readonly LiveCall[];
  /** Calls that are on their way at once; more have to wait, and are late. */
  readonly connections: number;
  readonly signal: AbortSignal;
  readonly onProgress: (sent: number, failed: number) => void;
};

/** Sends each call at its time. */
export async function drive({ client, names, calls, connections, signal, onProgress }: DriveOptions): Promise<Drive> {
  const sentMs = new Float64Array(calls.length);
  const underWay = new Set<Promise<void>>();
  let failed = 0;
  let failure: string | undefined;
  const startMs = performance.now();
  for (const [index, { function: which, atMs, runMs }] of calls.entries()) {
    const waitMs = startMs + atMs - performance.now();
    if (waitMs > 1) await sleep(waitMs, undefined, { signal });
    while (underWay.size >= connections) await Promise.race(underWay);
    signal.throwIfAborted();
    sentMs[index] = Math.max(atMs, performance.now() - startMs);
    const path = functionPath(names[which]!, '/invocations');
    const call = client
      .send({ method: 'POST', path, body: { ms: runMs }, signal })
      .then(async (response) => void (await response.arrayBuffer()))
      .catch((error: unknown) => {
        failed++;
        failure ??= error instanceof Error ? error.message : String(error);
      })
      .finally(() => underWay.delete(call));
    underWay.add(call);
    onProgress(index + 1, failed);
  }
  await Promise.all(underWay);
  signal.throwIfAborted();
  const lateMs = sentMs.map((each, index) => each - calls[index]!.atMs).toSorted();
  const part = (share: number): number => Math.round((lateMs[Math.max(0, Math.ceil(lateMs.length * share) - 1)] ?? 0) * 10) / 10;
  return { sentMs, late: { p50Ms: part(0.5), p99Ms: part(0.99), maxMs: part(1) }, failed, failure };
}
