/**
 * The control groups of one sandbox: one for its template, one for each instance. An instance's is used again when it has ended and all in
 * it is gone: the kernel keeps a group as long as a page of a file is counted to it, so few are better than many. They are used for no
 * other sandbox: a template is handed the way into them, and may have kept it.
 */
import type { Clock } from '../../kernel/mod.ts';
import type { Cgroup, GroupLimits } from './cgroup.ts';
import type { Cgroups } from './cgroups.ts';
import type { MemoryWatch, Watched } from './memory-watch.ts';

export type SandboxGroupsOptions = {
  readonly cgroups: Cgroups;
  readonly watch: MemoryWatch;
  readonly clock: Clock;
  /** Whether the template, or instance `id`, is at work. */
  readonly busy: (id: number | 'template') => boolean;
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
const LOOKS = 500;

type Used = { readonly group: Cgroup; readonly watched: Watched };

export class SandboxGroups {
  readonly #options: SandboxGroupsOptions;
  readonly #template: Cgroup | undefined;
  readonly #used = new Map<number | 'template', Used>();
  /** Nobody is in them. */
  readonly #ready: Cgroup[] = [];
  /** What was killed is in them still. */
  readonly #ending = new Set<Cgroup>();
  #limits: GroupLimits | undefined;
  #memoryBytes = 0;
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

  /** Whether there was a kill for want of memory. */
  outOfMemory(id: number | 'template'): boolean {
    return this.#used.get(id)?.group.outOfMemory === true;
  }

  /** The instance has ended: what it has left running ends now. */
  ended(id: number): void {
    const used = this.#used.get(id);
    if (!used) return;
    this.#used.delete(id);
    this.#options.watch.delete(used.watched);
    this.#empty(used.group, LOOKS);
  }

  /** The sandbox has ended. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { cgroups, watch } = this.#options;
    for (const { watched } of this.#used.values()) watch.delete(watched);
    const groups = [...this.#used.values()].map(({ group }) => group);
    cgroups.remove([
      ...groups,
      ...this.#ready.splice(0),
      ...this.#ending,
      ...(this.#template && !this.#used.has('template') ? [this.#template] : []),
    ]);
  }

  #use(id: number | 'template', group: Cgroup): void {
    const watched: Watched = {
      limitBytes: this.#memoryBytes,
      busy: () => this.#options.busy(id),
      privateBytes: (limitBytes) => group.privateBytes(limitBytes),
      endLargest: () => group.endLargest(),
    };
    this.#used.set(id, { group, watched });
    this.#options.watch.add(watched);
  }

  /** Ends what is in it, and keeps it for another once that is gone. */
  #empty(group: Cgroup, looks: number): void {
    if (this.#closed) return;
    this.#ending.add(group);
    if (group.end()) {
      this.#ending.delete(group);
      this.#keep(group);
    } else if (looks > 0) this.#options.clock.after(LOOK_AGAIN_MS, () => this.#empty(group, looks - 1));
    // Otherwise it holds what can't be killed, and goes with the sandbox.
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
