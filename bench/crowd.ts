/** Many calls of one function at once, each of which needs an instance of its own. */
import { join } from 'node:path';
import { firstLine, startChild, stopChild } from './children.ts';
import type { Hearth } from './hearth.ts';

export type Crowd = {
  /** Of the instances that answered, one for each answer. */
  readonly ids: readonly (string | number)[];
  /** When each handler began, from before the first request was sent. */
  readonly beganAfterMs: readonly number[];
  readonly failures: number;
  /** What the first of them said. */
  readonly failure?: string;
};

/** A function for a crowd. In one sandbox no two processes have the same pid. */
export const CROWDED = `export const handler = async (event) => {
  const begunMs = Date.now();
  const id = process.pid;
  await new Promise((resolve) => setTimeout(resolve, event.untilMs - begunMs));
  return { id, begunMs };
};
`;

export type CrowdOptions = {
  readonly hearth: Hearth;
  readonly name: string;
  readonly count: number;
  /** After so long all are answered: by then the last instance must be there. */
  readonly holdMs: number;
};

/** After how long the last handler of a crowd began. */
export function lastBeganMs(crowd: Crowd): number {
  return crowd.beganAfterMs.reduce((last, ms) => Math.max(last, ms), 0);
}

/** The client is a child, so that its memory is back before memory is read again. Throws when a call failed, or two shared an instance. */
export async function gather({ hearth, name, count, holdMs }: CrowdOptions): Promise<Crowd> {
  const args = [hearth.url, name, String(count), String(Date.now() + holdMs)];
  const child = startChild(process.execPath, [join(import.meta.dirname, 'clients/crowd.ts'), ...args]);
  try {
    const read = (line: string) => (line.startsWith('{') ? (JSON.parse(line) as Crowd) : undefined);
    const crowd = await firstLine(child, 'a crowd of clients', read, 1, holdMs + 60_000);
    const distinct = new Set(crowd.ids).size;
    if (crowd.failures > 0) throw new Error(`${crowd.failures} of ${count} calls failed: ${crowd.failure}`);
    if (distinct !== count) throw new Error(`${count} calls were answered by ${distinct} instances`);
    return crowd;
  } finally {
    await stopChild(child);
  }
}
