/** What the processes of a soak hold, from /proc. */
import { readFileSync, readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { below, readProcesses } from './processes.ts';

/** Pids, by what they are. */
export type Family = Readonly<Record<string, number>>;

/** Name, with its unit -> figure. */
export type Holding = Readonly<Record<string, number>>;

setFlagsFromString('--expose-gc');
export const collectGarbage = runInNewContext('gc') as () => void;

/** The host's processes on the way to its one instance: blank sandboxes have none. */
export function familyOf(host: number): Family {
  const processes = readProcesses();
  const childrenOf = (pid: number) => processes.filter(({ parent }) => parent === pid).map((child) => child.pid);
  for (const zygote of childrenOf(host))
    for (const keeper of childrenOf(zygote))
      for (const template of childrenOf(keeper))
        for (const instance of childrenOf(template)) return { host, zygote, keeper, template, instance };
  throw new Error('there is no instance');
}

export function readHolding(family: Family): Holding {
  const found: Record<string, number> = {};
  for (const [name, pid] of Object.entries(family)) {
    found[`${name}'s memory, MiB`] = memoryMiB(pid);
    found[`${name}'s own, MiB`] = ownMiB(pid);
    found[`${name}'s descriptors`] = entries(`/proc/${pid}/fd`).length;
  }
  const { heapUsed, external } = process.memoryUsage();
  found["host's heap, MiB"] = heapUsed / 2 ** 20;
  found["host's buffers, MiB"] = external / 2 ** 20;
  const all = below(family['host']!);
  found['processes'] = all.length;
  found['zombies'] = all.filter(({ state }) => state === 'Z').length;
  found["keeper's mounts"] = linesOf(`/proc/${family['keeper']!}/mountinfo`);
  found["host's mounts"] = linesOf('/proc/self/mountinfo');
  return found;
}

/** Without files, such as the program itself, which all share and of which more and more is mapped. */
const memoryMiB = (pid: number): number => Number(/^RssAnon:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1]) / 1024;

/** Of that, what it shares with no other process: memory that it has written since its fork, and that no child has inherited. */
function ownMiB(pid: number): number {
  return Number(/^Private_Dirty:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1]) / 1024;
}

const linesOf = (path: string): number => read(path).split('\n').length - 1;

/** Empty where the process is gone, or not to be looked into. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // The same.
    return [];
  }
}
