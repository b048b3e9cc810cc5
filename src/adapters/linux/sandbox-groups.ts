/**
 * The control groups of one sandbox: one for its template, one for each instance. An instance's is used again when it has ended and all in
 * it is gone: the kernel keeps a group as long as a page of a file is counted to it, so few are better than many. They are used for no
 * other sandbox: a template is handed the way into them, and may have kept it.
 */
import type { Clock } from '../../kernel/mod.ts';
import type { TemplateMemory } from '../../ports/mod.ts';
import type { Cgroup, GroupLimits } from './cgroup.ts';
import type { Cgroups } from './cgroups.ts';
import { ENDING, harmless } from './cpu-watch.ts';
import type { Computing, CpuWatch } from './cpu-watch.ts';
import type { MemoryWatch, Watched } from './memory-watch.ts';

export type SandboxGroupsOptions = {
  readonly cgroups: Cgroups;
  readonly watch: MemoryWatch;
  readonly cpuWatch: CpuWatch;
  readonly clock: Clock;
  /** The number of what the template, or instance `id`, has been at work on for longest. Undefined: it is not at work. */
  readonly invocation: (id: number | 'template') => number | undefined;
};

/** As Lambda has it: processes and threads of one instance. */
export const PROCESSES = 1_024;
/** Lambda gives a function of so much memory one processor, and others in proportion. */
const PROCESSOR_MIB = 1_769;
const MiB = 1024 * 1024;
/** What is in /tmp counts as memory to the kernel, and each of its files takes some more. */
const TMP_BYTES_PER_BYTE = 1.5;
/** One is made ahead when nothing was asked for during so long. */
const QUIET_MS = 10;
/** So many are kept for the next instances. */
const KEPT = 8;
/** What was killed is gone after a moment. */
const LOOK_AGAIN_MS = 2;
/** And many after a longer one: to look at them all the time keeps the host from its work. */
const DYING_PER_MS = 16;
const SLOWER = 1.5;
const MEASURED = 4;
/** It is in no group: what it has changed of what it shares with its zygote, its page tables, and what the kernel has for namespaces. */
const KEEPER_KIB = 3_584;
const SLOWEST_MS = 1_000;

type Used = { readonly group: Cgroup; readonly watched: Watched; readonly computing: Computing };

export class SandboxGroups {
  readonly #options: SandboxGroupsOptions;
  readonly #template: Cgroup | undefined;
  readonly #used = new Map<number | 'template', Used>();
  /** Nobody is in them. */
  readonly #ready: Cgroup[] = [];
  /** What was killed is in them still. */
  readonly #ending = new Set<Used>();
  #limits: GroupLimits | undefined;
  #memoryBytes = 0;
  /** Of its instances. */
  readonly #past = harmless();
  #forking = false;
  #closed = false;

  constructor(options: SandboxGroupsOptions) {
    this.#options = options;
    this.#template = options.cgroups.make();
  }

  /** Whether all that an instance has started is found in its group. */
  get present(): boolean {
    return this.#template !== undefined;
  }

  /** All that run in the template's group; undefined: it has none. */
  get processes(): readonly number[] | undefined {
    return this.#used.get('template')?.group.processes;
  }

  /** The function is known: the descriptors by which its template enters its group. The caller closes them. */
  begin({ memoryMiB, tmpMiB }: { readonly memoryMiB: number; readonly tmpMiB: number }): readonly number[] {
    const group = this.#template;
    if (!group) return [];
    this.#memoryBytes = memoryMiB * MiB;
    this.#limits = {
      memoryBytes: (memoryMiB + tmpMiB * TMP_BYTES_PER_BYTE) * MiB,
      processes: PROCESSES,
      cpuMilli: Math.round((memoryMiB * 1000) / PROCESSOR_MIB),
    };
    group.limit(this.#limits);
    this.#use('template', group);
    this.#prepareLater();
    return group.openDoors();
  }

  /** The same for instance `id`. Empty: it stays in its template's group. */
  take(id: number): readonly number[] {
    if (!this.present || this.#closed) return [];
    const group = this.#ready.pop() ?? this.#make();
    if (!group) return [];
    this.#use(id, group);
    this.given(id);
    this.#freeTemplateLater();
    this.#prepareLater();
    return group.openDoors();
  }

  /**
   * A template that forks runs nothing of the function any more. What a fork takes of the kernel's memory, page tables most of all, counts to
   * who has forked: with thousands of instances that is more than a function may have.
   */
  #freeTemplateLater(): void {
    if (this.#forking) return;
    this.#forking = true;
    this.#options.clock.after(QUIET_MS, () => this.#template!.unlimitMemory());
  }

  /** Instance `id`, which was made ahead, is at work from now on. */
  given(id: number): void {
    const used = this.#used.get(id);
    if (used) this.#options.cpuWatch.begins(used.computing);
  }

  /** What its template takes of memory, and its instances on average, of which a few are looked at. */
  get memory(): TemplateMemory {
    const [template, ...instances] = [...this.#used].slice(0, 1 + MEASURED).map(([, { group }]) => group.usedKiB);
    const known = instances.filter((kib) => kib !== undefined);
    return {
      templateKiB: template && template + KEEPER_KIB,
      instanceKiB: known.length === 0 ? undefined : known.reduce((sum, kib) => sum + kib, 0) / known.length,
    };
  }

  /** Whether there was a kill for want of memory. */
  outOfMemory(id: number | 'template'): boolean {
    return this.#used.get(id)?.group.outOfMemory === true;
  }

  /** The instance is being killed. */
  ending(id: number): void {
    const used = this.#used.get(id);
    if (!used) return;
    used.computing.invocation = () => ENDING;
    this.#options.cpuWatch.ends(used.computing);
  }

  /** The instance has ended: what it has left running ends now. */
  ended(id: number): void {
    const used = this.#used.get(id);
    if (!used) return;
    this.ending(id);
    this.#used.delete(id);
    this.#options.watch.delete(used.watched);
    this.#empty(used, LOOK_AGAIN_MS);
  }

  /** The sandbox has ended. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { cgroups, watch, cpuWatch } = this.#options;
    const used = [...this.#used.values()];
    for (const { watched } of used) watch.delete(watched);
    const groups = [...used, ...this.#ending].map(({ group, computing }) => {
      cpuWatch.delete(computing);
      return group;
    });
    cgroups.remove([...groups, ...this.#ready.splice(0), ...(this.#template && !this.#used.has('template') ? [this.#template] : [])]);
  }

  #use(id: number | 'template', group: Cgroup): void {
    const watched: Watched = {
      limitBytes: this.#memoryBytes,
      busy: () => this.#options.invocation(id) !== undefined,
      privateBytes: (limitBytes) => group.privateBytes(limitBytes),
      endLargest: () => group.endLargest(),
    };
    const computing: Computing = {
      weight: this.#limits!.cpuMilli,
      invocation: () => this.#options.invocation(id),
      processes: () => group.processes,
      yield: (yields) => group.yield(yields),
      throttle: (milli) => group.throttle(milli),
      past: this.#past,
    };
    this.#used.set(id, { group, watched, computing });
    this.#options.watch.add(watched);
    if (this.#options.cgroups.has('cpu')) this.#options.cpuWatch.add(computing);
  }

  /** Ends what is in it, and keeps it for another once that is gone. What can't be killed, or is throttled, is waited for as long as there is the sandbox. */
  #empty(used: Used, paceMs: number): void {
    if (this.#closed) return;
    this.#ending.add(used);
    const left = used.group.end();
    if (left === 0) {
      this.#ending.delete(used);
      this.#options.cpuWatch.delete(used.computing);
      this.#keep(used.group);
    } else this.#options.clock.after(Math.max(paceMs, left / DYING_PER_MS), () => this.#empty(used, Math.min(paceMs * SLOWER, SLOWEST_MS)));
  }

  #keep(group: Cgroup): void {
    if (this.#ready.length >= KEPT) this.#options.cgroups.remove([group]);
    else if (this.#isReady(group, () => group.forget())) this.#ready.push(group);
  }

  #prepareLater(): void {
    if (this.#ready.length > 0) return;
    this.#options.clock.after(QUIET_MS, () => {
      if (this.#closed || this.#ready.length > 0) return;
      const group = this.#make();
      if (group) this.#ready.push(group);
    });
  }

  #make(): Cgroup | undefined {
    const group = this.#options.cgroups.make();
    return group && this.#isReady(group, () => group.limit(this.#limits!)) ? group : undefined;
  }

  #isReady(group: Cgroup, prepare: () => void): boolean {
    try {
      prepare();
      return true;
    } catch {
      // Somebody has removed it. Instances can do without: they are in their template's then.
      this.#options.cgroups.remove([group]);
      return false;
    }
  }
}
