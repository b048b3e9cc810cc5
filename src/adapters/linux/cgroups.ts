/**
 * The control groups of this host: all below one directory for each hierarchy, named for the process, so that a later host knows what one
 * that was killed has left. What the machine or the user's rights don't allow is not there, and resource limits of processes do what they can.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../../kernel/mod.ts';
import { closeBase, nameOfHost, openBase, weigh } from './cgroup-base.ts';
import { readHierarchies } from './cgroup-tree.ts';
import type { Controller, Hierarchy } from './cgroup-tree.ts';
import { Cgroup, tryWrite } from './cgroup.ts';
import type { Base } from './cgroup.ts';

/** Processes that were killed are gone by then, and their groups can go. */
const REMOVE_MS = 5_000;
/** So much longer for each: of thousands the last has its turn late. */
const REMOVE_EACH_MS = 5;
const REMOVE_STEP_MS = 5;
/** Looking at many that are dying keeps the host from its work. */
const REMOVE_STEP_MOST_MS = 100;

export type CgroupsOptions = {
  readonly log: Log;
  readonly hierarchies: readonly Hierarchy[];
};

/** A process may have several hosts. */
let opened = 0;

/** Those of the machine, as this process sees them. */
export const ownHierarchies = (): Hierarchy[] =>
  readHierarchies(readFileSync('/proc/self/cgroup', 'latin1'), readFileSync('/proc/self/mountinfo', 'latin1'));

export class Cgroups {
  readonly #bases: readonly Base[];
  readonly #log: Log;
  readonly #removals = new Set<Promise<void>>();
  #made = 0;

  /** Takes what there is, and removes what hosts that are gone have left. */
  static open({ log, hierarchies }: CgroupsOptions): Cgroups {
    const name = nameOfHost(++opened);
    const bases = hierarchies.flatMap((hierarchy) => openBase(hierarchy, name) ?? []);
    return new Cgroups(bases, log);
  }

  private constructor(bases: readonly Base[], log: Log) {
    this.#bases = bases;
    this.#log = log;
  }

  has(controller: Controller): boolean {
    return this.versionOf(controller) !== undefined;
  }

  versionOf(controller: Controller): 1 | 2 | undefined {
    return this.#bases.find(({ controllers }) => controllers.includes(controller))?.version;
  }

  /** A new group; undefined where there are none, or no room for one more. */
  make(): Cgroup | undefined {
    if (this.#bases.length === 0) return undefined;
    try {
      return new Cgroup(this.#bases, String(++this.#made));
    } catch (error) {
      this.#log.error({ error }, 'no control group could be made');
      return undefined;
    }
  }

  /**
   * Whether all else on the machine goes before all functions, at once. Not in version 2, where the host may be in a group of the same parent:
   * there it would be put back too, and it goes before single groups that yield anyway.
   */
  yield(yields: boolean): void {
    for (const base of this.#bases) {
      if (base.version === 2 || !base.controllers.includes('cpu')) continue;
      tryWrite(join(base.directory, 'cpu.idle'), yields ? '1' : '0');
      if (!yields) weigh(base);
    }
  }

  /** Removes groups as soon as those in them are gone, whom somebody else ends. */
  remove(groups: readonly Cgroup[]): void {
    const left = groups.filter((group) => !group.remove());
    if (left.length === 0) return;
    const removal = this.#removeLater(left).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async #removeLater(groups: readonly Cgroup[]): Promise<void> {
    let left = groups;
    let stepMs = REMOVE_STEP_MS;
    const withinMs = REMOVE_MS + groups.length * REMOVE_EACH_MS;
    for (let waitedMs = 0; left.length > 0 && waitedMs < withinMs; waitedMs += stepMs) {
      stepMs = Math.min(REMOVE_STEP_MOST_MS, waitedMs + REMOVE_STEP_MS);
      await wait(stepMs);
      for (const group of left) group.end();
      left = left.filter((group) => !group.remove());
    }
    if (left.length > 0) this.#log.warn({ groups: left.length }, 'control groups still have processes, and stay');
  }

  /** When all groups have been given to `remove`. */
  async close(): Promise<void> {
    await Promise.all(this.#removals);
    for (const base of this.#bases) closeBase(base);
  }
}
