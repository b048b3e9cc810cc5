/** What the processes of a soak hold, from /proc. */
import { readFileSync, readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Pids, by what they are. */
export type Family = Readonly<Record<string, number>>;

/** Name, with its unit -> figure. */
export type Holding = Readonly<Record<string, number>>;

setFlagsFromString('--expose-gc');
export const collectGarbage = runInNewContext('gc') as () => void;

/** The host's processes on the way to its one instance: blank sandboxes have none. */
export function familyOf(host: number): Family {
  const children = childrenByParent();
  const below = (pid: number) => children.get(pid) ?? [];
  for (const zygote of below(host))
    for (const keeper of below(zygote))
      for (const template of below(keeper)) for (const instance of below(template)) return { host, zygote, keeper, template, instance };
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
  const below = descendants(family['host']!);
  found['processes'] = below.length;
  found['zombies'] = below.filter((pid) => statOf(pid)?.[0] === 'Z').length;
  found["keeper's mounts"] = linesOf(`/proc/${family['keeper']!}/mountinfo`);
  found["host's mounts"] = linesOf('/proc/self/mountinfo');
  return found;
}

function descendants(pid: number): number[] {
  const children = childrenByParent();
  const below = (parent: number): number[] => (children.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

function childrenByParent(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? Number(statOf(Number(name))?.[1] ?? NaN) : NaN;
    if (Number.isNaN(parent)) continue;
    const siblings = children.get(parent);
    if (siblings) siblings.push(Number(name));
    else children.set(parent, [Number(name)]);
  }
  return children;
}

/** The fields after the name, which may hold anything: state, parent, ... Undefined: there is no such process. */
function statOf(pid: number): string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ');
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
