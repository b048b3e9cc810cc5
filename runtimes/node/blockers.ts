/** What init has left behind that a fork of the process would not have: compared before and after. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { nap } from '../ladder/nap.ts';
import { describeHandle, isInUse } from './handles.ts';
import { native } from './native.ts';
import type { Opening } from './openings.ts';
import { findOpening, placeOf, placeOfFile } from './openings.ts';

export type SnapshotBlocker = {
  readonly kind: string;
  readonly detail: string;
  /** Where it was opened, `file:line:column`; absent: not known. */
  readonly place?: string;
  /** Its descriptor, where it has one. */
  readonly fd?: number;
};

export type Inventory = {
  /** Names of libuv handles and requests that keep the event loop alive, sorted, repeated as often as they occur. */
  readonly resources: readonly string[];
  /** Operations that libuv waits for, those without a name included; undefined: it can't be asked. */
  readonly requests: number | undefined;
  /** Descriptor -> what it is. Empty where there is no /proc. */
  readonly descriptors: ReadonlyMap<string, string>;
  /** Names of threads, sorted. */
  readonly threads: readonly string[];
  /** All processes in sight. */
  readonly processes: readonly string[];
};

/** `known`: an earlier one, whose descriptors need not be looked at again. */
export function takeInventory(known?: Inventory): Inventory {
  return {
    resources: process.getActiveResourcesInfo().toSorted(),
    requests: native?.requests(),
    descriptors: descriptors(known),
    threads: threads(),
    processes: processes(),
  };
}

/** `root`: the directory below which places are told. */
export function blockersSince(before: Inventory, root: string): SnapshotBlocker[] {
  try {
    return compare(before, takeInventory(before), root);
  } catch (error) {
    // User code has replaced what this needs: nothing is known, so nothing is promised.
    return [{ kind: 'unknown', detail: `what init left behind cannot be told: ${String(error)}` }];
  }
}

type Found = { readonly kind: string; readonly detail: string; readonly opening?: Opening | undefined; readonly fd?: number };

function compare(before: Inventory, after: Inventory, root: string): SnapshotBlocker[] {
  const found: Found[] = [];
  const taken: (Opening | undefined)[] = [];
  const add = (kind: string, detail: string, opening?: Opening, fd?: number): void => {
    taken.push(opening);
    found.push({ kind, detail: (opening && describe(opening)) ?? detail, opening, ...(fd !== undefined && { fd }) });
  };
  const opened = openedSince(before, after);
  // What has a descriptor is told by it, also when it doesn't keep the event loop going.
  for (const [name, target] of opened) {
    const fd = Number(name);
    const kind = kindOfDescriptor(target);
    const watches = kind === 'file watcher';
    const fits = ({ type, resource }: Opening) =>
      watches ? type === 'FSEVENTWRAP' : (resource as { fd?: unknown }).fd === fd && type in HANDLES;
    const opening = findOpening(taken, fits);
    add(opening && !watches ? HANDLES[opening.type]! : kind, `${fd}: ${target}`, opening, fd);
  }
  for (const pid of startedSince(before, after)) {
    const fits = ({ type, resource }: Opening) => type === 'PROCESSWRAP' && String((resource as { pid?: unknown }).pid) === pid;
    add('child process', `${commandOf(pid)} (pid ${pid})`, findOpening(taken, fits));
  }
  const startedThreads = added(before.threads, after.threads);
  for (const name of startedThreads) {
    const worker = name === 'WorkerThread';
    add(worker ? 'worker thread' : 'thread', name, worker ? findOpening(taken, ({ type }) => type === 'WORKER') : undefined);
  }
  const told = [...taken];
  const underWay = after.requests === undefined ? Infinity : after.requests - (before.requests ?? 0);
  let operations = 0;
  for (const name of added(before.resources, after.resources)) {
    const kind = name in KINDS ? KINDS[name] : 'operation';
    // Those whose callback is running at this moment have a name still.
    if (kind === 'operation' && ++operations > underWay) continue;
    if (kind === null || (kind === 'worker thread' && startedThreads.length === 0)) continue;
    const type = typeOf(name);
    const fits = (opening: Opening) => opening.type.toUpperCase() === type && isInUse(opening.resource);
    // Told already, by its descriptor or its pid.
    const known = told.findIndex((opening) => opening && fits(opening));
    if (known >= 0) told.splice(known, 1);
    else add(kind!, name, findOpening(taken, fits));
  }
  if (operations < underWay && underWay !== Infinity) add('operation', 'work that has not come to its end');
  return merged(found, root);
}

/** What Node's names mean here; null: a fork takes it along. Names that are not listed are operations in progress. */
const KINDS: Readonly<Record<string, string | null>> = {
  Immediate: null,
  TickObject: null,
  Timeout: 'timer',
  ProcessWrap: 'child process',
  ChildProcess: 'child process',
  // Without threads both its ends are in this process.
  MessagePort: 'worker thread',
  Worker: 'worker thread',
  TCPSocketWrap: 'socket',
  TCPServerWrap: 'socket',
  TLSWrap: 'socket',
  UDPWrap: 'socket',
  PipeWrap: 'socket',
  PipeServerWrap: 'socket',
  FSEventWrap: 'file watcher',
  StatWatcher: 'file watcher',
};

/** The types of node:async_hooks that have a descriptor. */
const HANDLES: Readonly<Record<string, string>> = {
  TCPWRAP: 'socket',
  TCPSERVERWRAP: 'socket',
  UDPWRAP: 'socket',
  PIPEWRAP: 'socket',
  PIPESERVERWRAP: 'socket',
  TTYWRAP: 'descriptor',
  FILEHANDLE: 'descriptor',
};

/** Of one thing Node has two names. */
const typeOf = (name: string): string => name.toUpperCase().replace('TCPSOCKET', 'TCP');

function kindOfDescriptor(target: string): string {
  if (target.startsWith('socket:')) return 'socket';
  return target === 'anon_inode:inotify' ? 'file watcher' : 'descriptor';
}

function describe({ type, resource }: Opening): string | undefined {
  try {
    return describeHandle(type, resource);
  } catch {
    // It is Node's own object, but user code may have got at it.
    return undefined;
  }
}

/** The same things from one place as one; without what belongs to a child process or a thread that was started there. */
function merged(found: readonly Found[], root: string): SnapshotBlocker[] {
  const placed = found.map(({ kind, detail, opening, fd }) => {
    const place = placeOf(opening, root) ?? (fd === undefined ? undefined : placeOfFile(fd, root));
    return { kind, detail, ...(place !== undefined && { place }), ...(fd !== undefined && { fd }) };
  });
  const owners = placed.filter(({ kind }) => kind === 'child process' || kind === 'worker thread');
  const result: SnapshotBlocker[] = [];
  for (const one of placed) {
    const sameAs = (other: SnapshotBlocker) => other.place === one.place && other.place !== undefined;
    if (one.kind === 'socket' && owners.some(sameAs)) continue;
    const twin = result.some(
      (other) => other.kind === one.kind && sameAs(other) && (one.kind === 'worker thread' || other.detail === one.detail),
    );
    if (!twin) result.push(one);
  }
  return result;
}

/** Those of `after` that `before` does not have, counting repetitions. */
function added(before: readonly string[], after: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const name of before) left.set(name, (left.get(name) ?? 0) + 1);
  return after.filter((name) => {
    const count = left.get(name) ?? 0;
    left.set(name, count - 1);
    return count <= 0;
  });
}

/** What a loop opens for itself when it is first needed, and a fork renews; and devices that are the same whoever has opened them. */
const HARMLESS = /^(anon_inode:\[(event|io_uring).*|\/dev\/(null|u?random))$/;

function openedSince(before: Inventory, after: Inventory): [string, string][] {
  const opened = [...after.descriptors].filter(([fd, target]) => before.descriptors.get(fd) !== target && !HARMLESS.test(target));
  // Both ends of one pipe are libuv's own way to carry signals, which a fork renews.
  const ends = (target: string) => opened.filter(([, other]) => other === target).length;
  return opened.filter(([, target]) => !(target.startsWith('pipe:') && ends(target) === 2));
}

function descriptors(known: Inventory | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const fd of entries('/proc/self/fd')) {
    try {
      found.set(fd, known?.descriptors.get(fd) ?? readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // It was the descriptor of the listing itself.
    }
  }
  return found;
}

/** In a sandbox there are its keeper and this process; elsewhere the machine's processes come and go. */
const IN_SANDBOX = 2;

/** Also those that Node has no handle of any more. */
function startedSince(before: Inventory, after: Inventory): string[] {
  return before.processes.length > IN_SANDBOX ? [] : added(before.processes, after.processes);
}

function processes(): string[] {
  return entries('/proc').filter((name) => /^\d+$/.test(name) && isRunning(name));
}

function isRunning(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    // It has ended meanwhile.
    return 'a process';
  }
}

/** libuv's own pool is made anew after a fork; so are V8's helpers. */
const RENEWED = /^(libuv-worker|node-V8Worker|node-|node$|MainThread)/;

/** A thread begins with the name of the process, and libuv's take a moment to give themselves theirs. */
const NAMED_WITHIN_MS = 20;

function threads(): string[] {
  const tasks = entries('/proc/self/task');
  // The main thread alone.
  if (tasks.length === 1) return [];
  const own = readFileSync('/proc/self/comm', 'utf8').trim();
  let names: string[] = [];
  for (let naps = 0; naps <= NAMED_WITHIN_MS; naps++) {
    if (naps > 0) nap(1);
    names = tasks.flatMap(threadName);
    if (names.filter((name) => name === own).length === 1) break;
  }
  names.splice(names.indexOf(own), 1);
  return names.filter((name) => !RENEWED.test(name)).toSorted();
}

function threadName(task: string): string[] {
  try {
    return [readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()];
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // No /proc here.
    return [];
  }
}
