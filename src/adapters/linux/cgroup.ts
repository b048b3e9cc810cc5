/** One control group, in all hierarchies that are of use here. */
import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Controller } from './cgroup-tree.ts';

/** A directory of this host in which it may make groups. */
export type Base = { readonly version: 1 | 2; readonly directory: string; readonly controllers: readonly Controller[] };

export type GroupLimits = {
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly processes: number;
  /** Of the processor's time, where others want it too, in thousandths of a processor. */
  readonly cpuMilli: number;
};

/** Whoever has not gone by then is stuck, and somebody else has to give memory back. */
const LOOKS_TO_END = 8;
/** A short one makes pauses short. */
const PERIOD_US = 50_000;
/** The kernel takes no less. */
const LEAST_QUOTA_US = 1_000;
/** More than a group that can't fork any more has need of. */
const ROUNDS = 16;

export class Cgroup {
  /** Until it is removed: in some hierarchies that may be sooner than in others. */
  #places: readonly Base[];
  #limits: GroupLimits | undefined;
  /** Nothing in it can fork any more. */
  #ended = false;
  #overLimit = false;
  #yields = false;
  #throttled: number | undefined;
  /** Of its former users. */
  #killedBefore = 0;
  /** Whom somebody killed last for want of memory, by pid where it was this, and for how many looks its end was waited for. */
  #dying: { readonly pid: number | undefined; looks: number } | undefined;
  /** At the last look, and whether that was less than at the one before. */
  #lastBytes = 0;
  #shrinks = false;
  /** At the last look for the largest. */
  #killedWhenLooked = 0;

  /** Makes it. Throws, and leaves nothing, where the machine has no room for it. */
  constructor(bases: readonly Base[], name: string) {
    const places: Base[] = [];
    this.#places = places;
    try {
      for (const base of bases) {
        const directory = `${base.directory}/${name}`;
        mkdirSync(directory);
        places.push({ ...base, directory });
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Throws where that can't be: it must not be used then. */
  limit(limits: GroupLimits): void {
    this.#limits = limits;
    for (const place of this.#places) for (const [file, value] of settings(place, limits)) write(place, file, value);
    // Machines without a count of swap have no such file. In version 1 all groups have it from their host's (`closeSwap`).
    const place = this.#place('memory');
    if (place?.version === 2) tryWrite(join(place.directory, 'memory.swap.max'), '0');
  }

  /** Its memory is counted still. */
  unlimitMemory(): void {
    const place = this.#place('memory');
    if (!place) return;
    const [file, none] = place.version === 2 ? (['memory.max', 'max'] as const) : (['memory.limit_in_bytes', '-1'] as const);
    tryWrite(join(place.directory, file), none);
  }

  /** Descriptors for whoever is to enter: by writing "0" into each. The caller closes them. */
  openDoors(): number[] {
    const doors: number[] = [];
    try {
      for (const { directory } of this.#places) doors.push(openSync(`${directory}/cgroup.procs`, 'w'));
      return doors;
    } catch {
      // Somebody has removed it. What can't enter stays in the group of whoever started it.
      for (const door of doors) closeSync(door);
      return [];
    }
  }

  /** Whether one of its processes was killed for want of memory since it was made, or since `forget`. */
  get outOfMemory(): boolean {
    return this.#overLimit || this.#killed() > this.#killedBefore;
  }

  /** Memory of its processes: without pages of files, what is in /tmp among them, and without the kernel's own. Bytes; 0 where nobody counts. */
  privateBytes(limitBytes: number): number {
    const place = this.#place('memory');
    if (!place) return 0;
    const all = Number(read(place, place.version === 2 ? 'memory.current' : 'memory.usage_in_bytes'));
    // The rest is slow to count, and seldom asked for.
    const bytes = all <= limitBytes ? all : numberOf(read(place, 'memory.stat'), place.version === 2 ? 'anon' : 'rss');
    this.#shrinks = bytes < this.#lastBytes;
    this.#lastBytes = bytes;
    return bytes;
  }

  /** Memory that is counted to it, KiB: that of its processes, what is in /tmp, and the kernel's own for them. Undefined where nobody counts. */
  get usedKiB(): number | undefined {
    const place = this.#place('memory');
    const bytes = place && Number(read(place, place.version === 2 ? 'memory.current' : 'memory.usage_in_bytes'));
    return bytes === undefined || bytes === 0 ? undefined : bytes / 1024;
  }

  /** Those that are dying count. */
  get processes(): number[] {
    const [first] = this.#places;
    return (first ? read(first, 'cgroup.procs') : '').split('\n').map(Number).filter(isVisible);
  }

  /** Whether all others go before it, at once, whatever they weigh (Linux 5.15; older ones don't know it). It weighs next to nothing meanwhile. */
  yield(yields: boolean): void {
    const place = this.#place('cpu');
    if (!place || yields === this.#yields) return;
    this.#yields = yields;
    tryWrite(join(place.directory, 'cpu.idle'), yields ? '1' : '0');
    // That it had another weight is forgotten.
    if (yields || !this.#limits) return;
    const [file, value] = cpuSetting(place, this.#limits);
    tryWrite(join(place.directory, file), value);
  }

  /** Takes its processes off the processors for the rest of each period in which they have had so much of one (sched-bwc, "CFS bandwidth control"). */
  throttle(milli: number | undefined): void {
    const place = this.#place('cpu');
    if (!place || milli === this.#throttled) return;
    this.#throttled = milli;
    const most = milli === undefined ? undefined : Math.max(LEAST_QUOTA_US, Math.round((milli * PERIOD_US) / 1_000));
    if (place.version === 2) tryWrite(join(place.directory, 'cpu.max'), `${most ?? 'max'} ${PERIOD_US}`);
    else {
      tryWrite(join(place.directory, 'cpu.cfs_period_us'), String(PERIOD_US));
      tryWrite(join(place.directory, 'cpu.cfs_quota_us'), String(most ?? -1));
    }
  }

  /** Kills all that is in it, which takes a moment to go. Returns how many there were. */
  end(): number {
    const [first] = this.#places;
    const killed = new Set<number>();
    for (let round = 0; round < ROUNDS; round++) {
      const found = this.processes.filter((pid) => !killed.has(pid));
      if (found.length === 0) break;
      if (first?.version === 2 && tryWrite(join(first.directory, 'cgroup.kill'), '1')) return found.length;
      this.#forbidForks();
      for (const pid of found) {
        kill(pid);
        killed.add(pid);
      }
    }
    return killed.size;
  }

  #forbidForks(): void {
    const place = this.#place('pids');
    if (!place || this.#ended) return;
    this.#ended = true;
    write(place, 'pids.max', '0');
  }

  /** Kills what the kernel would kill for want of memory: all of it in version 2, the largest process in version 1. */
  endLargest(): void {
    this.#overLimit = true;
    if (this.#place('memory')?.version === 2) {
      this.end();
      return;
    }
    const killed = this.#killed();
    const before = this.#killedWhenLooked;
    this.#killedWhenLooked = killed;
    // The kernel was quicker, and what it has killed is yet to give its memory back: the next one would be killed for nothing.
    if (killed > before) {
      this.#dying = { pid: undefined, looks: 0 };
      return;
    }
    const { processes } = this;
    // On a busy machine its end takes a while, and so does that of what was killed here.
    if (this.#dying && this.#dying.looks++ < LOOKS_TO_END && this.#isDying(this.#dying, processes)) return;
    let largest: { pid: number; pages: number } | undefined;
    for (const pid of processes) {
      const pages = privatePages(pid);
      if (!largest || pages > largest.pages) largest = { pid, pages };
    }
    if (!largest) return;
    this.#dying = { pid: largest.pid, looks: 0 };
    kill(largest.pid);
  }

  /** Whether it has memory still. The kernel does not list it any more from when it begins to end, and it gives its memory back after that. */
  #isDying({ pid }: { readonly pid: number | undefined }, listed: readonly number[]): boolean {
    return this.#shrinks || (pid !== undefined && (listed.includes(pid) || hasMemory(pid)));
  }

  /** Makes it ready for somebody else. Throws as `limit` does. */
  forget(): void {
    this.yield(false);
    this.throttle(undefined);
    this.#killedBefore = this.#killedWhenLooked = this.#killed();
    this.#overLimit = false;
    this.#dying = undefined;
    if (this.#ended && this.#limits) this.limit(this.#limits);
    this.#ended = false;
  }

  /** False while somebody is in it. */
  remove(): boolean {
    this.#places = this.#places.filter(({ directory }) => !tryRemove(directory));
    return this.#places.length === 0;
  }

  #killed(): number {
    const place = this.#place('memory');
    return place ? numberOf(read(place, place.version === 2 ? 'memory.events' : 'memory.oom_control'), 'oom_kill') : 0;
  }

  #place(controller: Controller): Base | undefined {
    return this.#places.find(({ controllers }) => controllers.includes(controller));
  }
}

/** The weight of one processor, and of groups that were given none. */
export const V1_SHARES = 1024;
const V1_SHARES_LEAST = 2;
export const V2_WEIGHT = 100;
export const V2_WEIGHT_MOST = 10_000;

type Setting = readonly [file: string, value: string];

function settings(place: Base, limits: GroupLimits): Setting[] {
  const memory = String(limits.memoryBytes);
  const of: Readonly<Record<Controller, readonly Setting[]>> = {
    memory:
      place.version === 2
        ? [
            ['memory.max', memory],
            ['memory.oom.group', '1'],
          ]
        : [['memory.limit_in_bytes', memory]],
    pids: [['pids.max', String(limits.processes)]],
    cpu: [cpuSetting(place, limits)],
  };
  return place.controllers.flatMap((controller) => of[controller]);
}

const cpuSetting = ({ version }: Base, { cpuMilli }: GroupLimits): Setting =>
  version === 2
    ? ['cpu.weight', String(weight(cpuMilli, V2_WEIGHT, 1))]
    : ['cpu.shares', String(weight(cpuMilli, V1_SHARES, V1_SHARES_LEAST))];

const weight = (cpuMilli: number, one: number, least: number): number =>
  Math.min(V2_WEIGHT_MOST, Math.max(least, Math.round((cpuMilli * one) / 1000)));

/** 0 stands for one that can't be seen from here. */
const isVisible = (pid: number): boolean => pid > 1;

const write = ({ directory }: Base, file: string, value: string): void => writeTo(`${directory}/${file}`, value);

/** A group is made for each instance: this takes a third less time than writeFileSync. */
function writeTo(path: string, value: string): void {
  const fd = openSync(path, 'w');
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}

/** Empty where somebody has removed the group. */
function read({ directory }: Base, file: string): string {
  try {
    return readFileSync(join(directory, file), 'latin1');
  } catch {
    return '';
  }
}

/** False where the kernel has no such file, or where somebody has removed the group, or a process that was to be moved has ended. */
export function tryWrite(path: string, value: string): boolean {
  try {
    writeTo(path, value);
    return true;
  } catch {
    return false;
  }
}

export function tryRemove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** Of a line "name number". */
const numberOf = (text: string, name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);

/** A zombie has given it back (proc_pid_stat(5)). */
function hasMemory(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !'ZX'.includes(text[text.lastIndexOf(')') + 2]!);
  } catch {
    return false;
  }
}

/** Without those of files, which are not counted to it alone: the machine code of Node would make each instance large. */
function privatePages(pid: number): number {
  try {
    const [, resident, shared] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number);
    return resident! - shared!;
  } catch {
    // It has ended.
    return 0;
  }
}

/** Whoever can't be killed, or is gone, is no error. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended. Whoever is in the group still is looked for again.
  }
}
