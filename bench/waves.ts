/** Load that changes: so many callers at a time of a function URL, then another number. */
import { join } from 'node:path';
import { firstLine, startChild, stopChild } from './children.ts';
import type { Client } from './client.ts';
import type { Hearth } from './hearth.ts';

export type Level = { readonly callers: number; readonly seconds: number };

export type Waves = {
  readonly url: string;
  readonly host: string;
  readonly levels: readonly Level[];
  /** Each caller asks once. */
  readonly once: boolean;
};

export type LevelResult = { readonly firstByteMs: readonly number[]; readonly failures: number; readonly failure?: string };

/** Throws when a call failed. */
export async function waves(load: Waves): Promise<readonly LevelResult[]> {
  const child = startChild(process.execPath, [join(import.meta.dirname, 'clients/waves.ts'), JSON.stringify(load)]);
  try {
    const read = (line: string) => (line.startsWith('[') ? (JSON.parse(line) as LevelResult[]) : undefined);
    const seconds = load.levels.reduce((sum, level) => sum + level.seconds, 60);
    const results = await firstLine(child, 'callers in waves', read, 1, seconds * 1_000);
    for (const { failures, firstByteMs, failure } of results) {
      if (failures > 0) throw new Error(`${failures} of ${failures + firstByteMs.length} calls failed: ${failure}`);
    }
    return results;
  } finally {
    await stopChild(child);
  }
}

const LOOK_EVERY_MS = 50;

/** The most instances that a function has had while `work` ran. */
export async function mostInstances<T>(
  client: Client,
  hearth: Hearth,
  name: string,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly most: number }> {
  let most = 0;
  const over = new AbortController();
  const look = async () => {
    const { body } = await client.call({ url: `${hearth.url}/_hearth/stats` });
    const { deployments } = JSON.parse(body.toString()) as {
      readonly deployments: readonly { readonly functionName: string; readonly idle: number; readonly busy: number }[];
    };
    for (const { functionName, idle, busy } of deployments) if (functionName === name) most = Math.max(most, idle + busy);
  };
  const looks = (async () => {
    while (!over.signal.aborted) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    await look();
  })();
  try {
    const result = await work();
    return { result, most };
  } finally {
    over.abort();
    await looks;
  }
}
