/** Many calls of one function at once, each of which needs an instance of its own. */
import { join } from 'node:path';
import { firstLine, startChild, stopChild } from './children.ts';
import type { Hearth } from './hearth.ts';

export type CrowdCall = {
  readonly url: string;
  readonly name: string;
  readonly count: number;
  /** Callers at a time. Fewer than `count`: each leaves when its handler has begun, which runs on without it, and is the next caller then. */
  readonly connections: number;
  /** Epoch. No handler ends before. */
  readonly untilMs: number;
};

export type Crowd = {
  /** Of the instances that answered, one for each answer. */
  readonly ids: readonly string[];
  /** When each handler began, from before the first request was sent. */
  readonly beganAfterMs: readonly number[];
  readonly failures: number;
  /** What the first of them said. */
  readonly failure?: string;
};

/**
 * A function for a crowd: it says who it is and when it began, in its answer, and at once in its log where the caller will leave. In one sandbox
 * no two processes have the same pid. `identify`: code that makes another `id` of a process.
 */
export const crowdFunction = (identify = 'String(process.pid)'): string => `let id;
export const handler = async ({ key, untilMs }) => {
  const begunMs = Date.now();
  id ??= ${identify};
  if (key !== undefined) console.log(JSON.stringify({ key, id, begunMs }));
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, untilMs - begunMs)));
  return { id, begunMs };
};
`;

export type CrowdOptions = {
  readonly hearth: Hearth;
  readonly name: string;
  readonly count: number;
  readonly connections?: number;
  /** By then the last instance must be there. */
  readonly holdMs: number;
};

/** The client is a child, so that its memory is back before memory is read again. Throws when a call failed, or two shared an instance. */
export async function gather({ hearth, name, count, connections = count, holdMs }: CrowdOptions): Promise<Crowd> {
  const call: CrowdCall = { url: hearth.url, name, count, connections, untilMs: Date.now() + holdMs };
  const child = startChild(process.execPath, [join(import.meta.dirname, 'clients/crowd.ts'), JSON.stringify(call)]);
  try {
    const read = (line: string) => (line.startsWith('{') ? (JSON.parse(line) as Crowd) : undefined);
    const crowd = await firstLine(child, 'a crowd of clients', read, 1, holdMs + 60_000);
    // Of those whose callers have left nobody hears that they have ended.
    if (connections < count) await new Promise((resolve) => setTimeout(resolve, Math.max(0, call.untilMs + 500 - Date.now())));
    const distinct = new Set(crowd.ids).size;
    if (crowd.failures > 0) throw new Error(`${crowd.failures} of ${count} calls failed: ${crowd.failure}`);
    if (distinct !== count) throw new Error(`${count} calls were answered by ${distinct} instances`);
    return crowd;
  } finally {
    await stopChild(child);
  }
}

/** After how long the last handler of a crowd began. */
export function lastBeganMs(crowd: Crowd): number {
  return crowd.beganAfterMs.reduce((last, ms) => Math.max(last, ms), 0);
}
