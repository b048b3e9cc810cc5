/** What init has left behind that a fork of the process would not have: compared before and after. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

export type SnapshotBlocker = { readonly kind: string; readonly detail: string };

export type Inventory = {
  /** Names of libuv handles and requests that keep the event loop alive, sorted, repeated as often as they occur. */
  readonly resources: readonly string[];
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
    descriptors: descriptors(known),
    threads: threads(),
    processes: processes(),
  };
}

export function blockersSince(before: Inventory): SnapshotBlocker[] {
  try {
    return compare(before, takeInventory(before));
  } catch (error) {
    // User code has replaced what this needs: nothing is known, so nothing is promised.
    return [{ kind: 'unknown', detail: `what init left behind cannot be told: ${String(error)}` }];
  }
}

function compare(before: Inventory, after: Inventory): SnapshotBlocker[] {
  const resources = added(before.resources, after.resources)
    .filter((name) => KINDS[name] !== null)
    .map((name) => ({ kind: KINDS[name] ?? 'operation', detail: name }));
  const threads = added(before.threads, after.threads).map((name) => ({
    kind: name === 'WorkerThread' ? 'worker thread' : 'thread',
    detail: name,
  }));
  const descriptors = openedSince(before, after).map(([fd, target]) => ({ kind: 'descriptor', detail: `${fd}: ${target}` }));
  return [...resources, ...threads, ...descriptors, ...startedSince(before, after)];
}

/** What Node's names mean here; null: a fork takes it along. Names that are not listed are operations in progress. */
const KINDS: Readonly<Record<string, string | null>> = {
  Immediate: null,
  TickObject: null,
  Timeout: 'timer',
  ProcessWrap: 'child process',
  ChildProcess: 'child process',
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

/** What a loop opens for itself when it is first needed; a fork renews it. */
const OF_LIBUV = /^(anon_inode:\[(event|io_uring).*|\/dev\/null)$/;

function openedSince(before: Inventory, after: Inventory): [string, string][] {
  const opened = [...after.descriptors].filter(([fd, target]) => before.descriptors.get(fd) !== target && !OF_LIBUV.test(target));
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
function startedSince(before: Inventory, after: Inventory): SnapshotBlocker[] {
  if (before.processes.length > IN_SANDBOX) return [];
  return added(before.processes, after.processes).map((pid) => ({ kind: 'child process', detail: pid }));
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

/** libuv's own pool is made anew after a fork; so are V8's helpers. */
const RENEWED = /^(libuv-worker|node-V8Worker|node-|node$|MainThread)/;

function threads(): string[] {
  const tasks = entries('/proc/self/task');
  // The main thread alone.
  if (tasks.length === 1) return [];
  const names = tasks.map((task) => readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim());
  return names.filter((name) => !RENEWED.test(name)).toSorted();
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // No /proc here.
    return [];
  }
}
