/**
 * Where in a hierarchy this host may make groups, and the directory that it makes there. In version 1 that is its own group. In version 2
 * a group that gives controllers to its children can have no processes itself, unless it is the root: the host's own then go into a group
 * beside those of its functions, where all that are there are its own, as in a service of systemd with Delegate=yes.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { CONTROLLERS } from './cgroup-tree.ts';
import type { Controller, Hierarchy } from './cgroup-tree.ts';
import { V1_SHARES, V2_WEIGHT, V2_WEIGHT_MOST, tryRemove, tryWrite } from './cgroup.ts';
import type { Base } from './cgroup.ts';

/** hearth-PID-START-NUMBER: START tells a process from a later one of the same pid. */
const NAME = /^hearth-(\d+)-(\d+)-\d+$/;
const HOST = 'host';
/** Processes may be started while they are moved. */
const MOVES = 8;

/** `number`: a process may have several hosts. */
export const nameOfHost = (number: number): string => `hearth-${process.pid}-${startOf(process.pid)}-${number}`;

/** Makes directory `name` in the hierarchy, and removes what hosts that are gone have left beside it. Undefined where that is not allowed, or of no use. */
export function openBase(hierarchy: Hierarchy, name: string): Base | undefined {
  const { version, own, controllers } = hierarchy;
  if (version === 2) return openV2(hierarchy, name);
  removeLeftovers(own);
  const base = { version, directory: join(own, name), controllers };
  if (!tryMake(base.directory)) return undefined;
  weigh(base);
  closeSwap(base);
  return base;
}

/** There is no swap for functions. In version 1 groups take that over from the one they are made in; in version 2 the host may be there too. */
function closeSwap({ directory, controllers }: Base): void {
  if (controllers.includes('memory')) tryWrite(join(directory, 'memory.swappiness'), '0');
}

/** All groups in it are gone. That of the host itself stays while the host is in it. */
export function closeBase({ directory }: Base): void {
  tryRemove(join(directory, HOST));
  tryRemove(directory);
}

function openV2({ own, root }: Hierarchy, name: string): Base | undefined {
  // With DelegateSubgroup= the host's group is below the one that it may use; and root may use all.
  const parents = [own, ...(own === root ? [] : [dirname(own)]), ...(process.getuid!() === 0 ? [root] : [])];
  for (const parent of new Set(parents)) {
    const controllers = listed(parent, 'cgroup.controllers').filter(isOfUse);
    const directory = join(parent, name);
    if (controllers.length === 0 || !tryMake(directory)) continue;
    removeLeftovers(parent);
    const base: Base = { version: 2, directory, controllers };
    if (handDown(parent, directory, controllers, parent === own && own !== root)) {
      weigh(base);
      return base;
    }
    closeBase(base);
  }
  return undefined;
}

/** All functions together weigh as much as one process for each processor, beside the host and whatever else there is. */
export function weigh({ version, directory, controllers }: Base): void {
  if (!controllers.includes('cpu')) return;
  if (version === 2) tryWrite(join(directory, 'cpu.weight'), String(Math.min(V2_WEIGHT_MOST, V2_WEIGHT * availableParallelism())));
  else tryWrite(join(directory, 'cpu.shares'), String(V1_SHARES * availableParallelism()));
}

/** Gives the controllers to the groups in `directory`. `ours`: the host is in `parent`, and may be moved out of it. */
function handDown(parent: string, directory: string, controllers: readonly Controller[], ours: boolean): boolean {
  const orders = controllers.map((controller) => `+${controller}`).join(' ');
  const given = listed(parent, 'cgroup.subtree_control');
  const missing = controllers.some((controller) => !given.includes(controller));
  try {
    if (missing && ours && !moveHost(parent, join(directory, HOST))) return false;
    if (missing) writeFileSync(join(parent, 'cgroup.subtree_control'), orders);
    writeFileSync(join(directory, 'cgroup.subtree_control'), orders);
    return true;
  } catch {
    // Others have processes there, or rights. Those of the host go back to where they were.
    if (ours) for (const pid of pidsIn(join(directory, HOST))) tryWrite(join(parent, 'cgroup.procs'), String(pid));
    return false;
  }
}

/** False, and nothing is moved, where others than the host and what it has started are there. */
function moveHost(from: string, to: string): boolean {
  if (!pidsIn(from).every(isOurs) || !tryMake(to)) return false;
  for (let i = 0; i < MOVES && pidsIn(from).length > 0; i++)
    for (const pid of pidsIn(from)) tryWrite(join(to, 'cgroup.procs'), String(pid));
  return true;
}

function isOurs(pid: number): boolean {
  for (let at = pid; at > 0; at = Number(statOf(at)?.[1] ?? 0)) if (at === process.pid) return true;
  return false;
}

/** Only groups without processes can be removed, so that what still ends is left to the next host. */
function removeLeftovers(parent: string): void {
  for (const name of namesIn(parent)) {
    const [, pid, start] = NAME.exec(name) ?? [];
    if (pid === undefined || startOf(Number(pid)) === start) continue;
    const directory = join(parent, name);
    for (const child of namesIn(directory)) tryRemove(join(directory, child));
    tryRemove(directory);
  }
}

/** Groups are directories; all else is files of the kernel. */
const namesIn = (directory: string): string[] =>
  (ifThere(() => readdirSync(directory, { withFileTypes: true })) ?? []).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

const pidsIn = (directory: string): number[] => listed(directory, 'cgroup.procs').map(Number);

const listed = (directory: string, file: string): string[] =>
  (ifThere(() => readFileSync(join(directory, file), 'latin1')) ?? '').split(/\s+/).filter(Boolean);

/** Undefined where there is no such group, or no more: other hosts remove theirs, and what hosts that are gone have left, at any time. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // A file that was opened before its group was removed has no device any more.
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

const isOfUse = (name: string): name is Controller => (CONTROLLERS as readonly string[]).includes(name);

function tryMake(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

/** In ticks since the machine's start (proc_pid_stat(5), field 22). Undefined: there is no such process. */
const startOf = (pid: number): string | undefined => statOf(pid)?.[19];

/** The fields after the name: state, parent, ... */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
