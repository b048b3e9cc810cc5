/**
 * What the kernel says of the machine, and of the control groups that this process is in: proc_meminfo(5), proc_loadavg(5),
 * proc_pressure_cpu(5), and memory and pids of cgroups(7). A group's limit holds for all below it, so each up to the root counts.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../../kernel/mod.ts';
import { LOOK_EVERY_MS } from '../../ports/mod.ts';
import type { Machine, MachineLook } from '../../ports/mod.ts';
import type { Hierarchy } from './cgroup-tree.ts';
import { ownHierarchies } from './cgroups.ts';

export type LinuxMachineOptions = {
  readonly clock: Clock;
  /** Where the files of proc are; default /proc. */
  readonly proc?: string;
  readonly hierarchies?: readonly Hierarchy[];
};

const KiB = 1024;
const MiB = 1024 * KiB;

/** A directory of a hierarchy, with what is in its files. */
type Group = { readonly version: 1 | 2; readonly directory: string };

/** Reads files of the kernel while it looks, which takes some 0.1 ms, and at most every LOOK_EVERY_MS. */
export class LinuxMachine implements Machine {
  readonly #clock: Clock;
  readonly #proc: string;
  /** Those that limit memory, or processes. */
  readonly #memory: readonly Group[];
  readonly #pids: readonly Group[];
  #latest: MachineLook | undefined;

  constructor({ clock, proc = '/proc', hierarchies = ownHierarchies() }: LinuxMachineOptions) {
    this.#clock = clock;
    this.#proc = proc;
    const groups = (controller: 'memory' | 'pids', file: Readonly<Record<1 | 2, string>>) =>
      hierarchies
        .filter(({ version, controllers }) => version === 2 || controllers.includes(controller))
        .flatMap(upwards)
        .filter(({ version, directory }) => isLimit(numberIn(join(directory, file[version]))));
    this.#memory = groups('memory', { 1: 'memory.limit_in_bytes', 2: 'memory.max' });
    this.#pids = groups('pids', { 1: 'pids.max', 2: 'pids.max' });
  }

  look(): MachineLook {
    const atMs = this.#clock.monotonicMs();
    if (this.#latest && atMs - this.#latest.atMs < LOOK_EVERY_MS) return this.#latest;
    const look: MachineLook = {
      atMs,
      memory: this.#readMemory(),
      processes: this.#readProcesses(),
      pressure: { cpu: this.#readPressure('cpu'), memory: this.#readPressure('memory') },
    };
    return (this.#latest = look);
  }

  #readMemory(): MachineLook['memory'] {
    const text = read(join(this.#proc, 'meminfo'));
    let limitBytes = KiB * figure(text, 'MemTotal:');
    let availableBytes = KiB * figure(text, 'MemAvailable:');
    for (const { version, directory } of this.#memory) {
      const [limitFile, usageFile] = version === 2 ? ['memory.max', 'memory.current'] : ['memory.limit_in_bytes', 'memory.usage_in_bytes'];
      const limit = numberIn(join(directory, limitFile));
      if (!isLimit(limit)) continue;
      // Pages of files that nobody has asked for lately are given back before anybody goes without.
      const stat = read(join(directory, 'memory.stat'));
      const reclaimable = figure(stat, version === 2 ? 'inactive_file' : 'total_inactive_file');
      const used = Math.max(0, (numberIn(join(directory, usageFile)) ?? 0) - reclaimable);
      limitBytes = Math.min(limitBytes, limit);
      availableBytes = Math.min(availableBytes, limit - used);
    }
    return { limitMiB: limitBytes / MiB, availableMiB: Math.max(0, Math.min(limitBytes, availableBytes)) / MiB };
  }

  /** Of all limits the one that is nearest. */
  #readProcesses(): MachineLook['processes'] {
    const running = Number(/^\S+ \S+ \S+ \d+\/(\d+)/.exec(read(join(this.#proc, 'loadavg')))?.[1] ?? 0);
    const limits = ['pid_max', 'threads-max'].map((name) => numberIn(join(this.#proc, 'sys/kernel', name)) ?? Infinity);
    let nearest = { used: running, limit: Math.min(...limits) };
    for (const { directory } of this.#pids) {
      const [used = 0, limit] = [numberIn(join(directory, 'pids.current')), numberIn(join(directory, 'pids.max'))];
      if (isLimit(limit) && limit - used < nearest.limit - nearest.used) nearest = { used, limit };
    }
    return nearest;
  }

  #readPressure(of: 'cpu' | 'memory'): number | undefined {
    const average = /^some avg10=([\d.]+)/m.exec(read(join(this.#proc, 'pressure', of)))?.[1];
    return average === undefined ? undefined : Number(average);
  }
}

/** A group and those above it, as far as they can be seen. */
function upwards({ version, own, root }: Hierarchy): Group[] {
  const groups: Group[] = [];
  for (let directory = own; ; directory = dirname(directory)) {
    groups.push({ version, directory });
    if (directory === root || !directory.startsWith(root)) return groups;
  }
}

/** Version 2 says `max`, version 1 a number that is larger than any machine. */
const isLimit = (limit: number | undefined): limit is number => limit !== undefined && limit < NO_LIMIT;
const NO_LIMIT = 2 ** 60;

function numberIn(path: string): number | undefined {
  const text = read(path).trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Of a line "name number". */
const figure = (text: string, name: string): number => Number(new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);

/** Empty where there is no such file: the kernel doesn't have it, or it can't be seen from here. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
