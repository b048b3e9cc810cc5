import { firstToGo, mayEvict, missingMiB, shortageOf, retention } from '../policy/mod.ts';
import type { MachineView, Need, Shortage } from '../policy/mod.ts';
import type { MachineLook } from '../ports/mod.ts';
import type { Evictable } from './claim.ts';
import type { Host } from './host.ts';
import { Ledger } from './holding.ts';

/** What the machine has for instances and templates, what they have taken, and who goes where it does not suffice for all. */
export class Room implements MachineView {
  readonly ledger = new Ledger();
  /** What was taken from whom it was of use to, since the host began. */
  readonly evicted = { instances: 0, templates: 0 };
  /** The clock of greedy-dual: what that was worth. */
  evictionClock = 0;
  instances = 0;
  readonly #host: Host;
  #look: MachineLook | undefined;
  /** As they were when the machine was looked at: what has come since then is in none of its figures. */
  #committedThenMiB = 0;
  #instancesThen = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  get maxInstances(): number {
    return this.#host.limits.maxInstancesTotal;
  }

  get committedMiB(): number {
    return this.ledger.committedMiB;
  }

  get memoryMiB(): number {
    return this.#host.limits.memoryMiB;
  }

  get availableMiB(): number {
    const look = this.#latest();
    return look ? look.memory.availableMiB - (this.committedMiB - this.#committedThenMiB) : Infinity;
  }

  get floorMiB(): number {
    const look = this.#latest();
    return look ? Math.min(MOST_FLOOR_MIB, look.memory.limitMiB * FLOOR) : 0;
  }

  get processes(): number {
    const look = this.#latest();
    return look ? look.processes.used + (this.instances - this.#instancesThen) : 0;
  }

  get maxProcesses(): number {
    const look = this.#latest();
    return look ? look.processes.limit - Math.min(MOST_PROCESSES_LEFT, look.processes.limit * FLOOR) : Infinity;
  }

  canMakeRoom(need: Need): boolean {
    const shortage = shortageOf(need, this);
    let missing = missingMiB(need.needMiB, this);
    let others = this.instances;
    for (const candidate of this.#candidates(need, shortage)) {
      if (shortage !== 'memory') return true;
      missing -= candidate.mostMiB;
      others -= candidate.mostInstances;
      // As `mayStart` has it: what is alone has all there is.
      if (missing <= 0 || others === 0) return true;
    }
    return false;
  }

  /** Evicts until one more fits, or nothing is left that may go. */
  makeFor(need: Need): void {
    for (let shortage = shortageOf(need, this); shortage !== undefined; shortage = shortageOf(need, this))
      if (!this.#evictOne(need, shortage)) return;
  }

  /**
   * The same for a template, of which there may be so many besides; ones in use never go. False: there is no room. `alone`: no other boot is
   * under way; one that nothing else runs beside has all there is.
   */
  makeForTemplate(need: Need, alone: boolean): boolean {
    this.#limitTemplates(need);
    for (let missing = missingMiB(need.needMiB, this); missing > 0; missing = missingMiB(need.needMiB, this))
      if (!this.#evictOne(need, 'memory')) return alone && this.instances === 0;
    return true;
  }

  /** What has grown since it was let in: others go for it that are idle. */
  relieve(): void {
    for (let missing = missingMiB(0, this); missing > 0; missing = missingMiB(0, this)) if (!this.#evictOne(undefined, 'memory')) return;
  }

  #limitTemplates(need: Need): void {
    const { pools, limits } = this.#host;
    let ready = 0;
    for (const pool of pools.values()) if (pool.stage === 'ready') ready++;
    for (let excess = ready + 1 - limits.maxTemplates; excess > 0; excess--) {
      const unused = [...this.#candidates(need, undefined)].filter(({ rung }) => rung === 'template');
      if (!this.#evict(firstToGo(unused, limits.eviction))) return;
    }
  }

  #evictOne(need: Need | undefined, shortage: Shortage): boolean {
    return this.#evict(firstToGo(this.#candidates(need, shortage), this.#host.limits.eviction));
  }

  #evict(candidate: Evictable | undefined): boolean {
    if (!candidate) return false;
    if (candidate.rung === 'instance') this.evicted.instances++;
    else this.evicted.templates++;
    this.evictionClock = Math.max(this.evictionClock, retention('greedy-dual', candidate));
    candidate.evict();
    return true;
  }

  /** `need`: whose it is; what that function has itself is no use to it elsewhere. */
  *#candidates(need: Need | undefined, shortage: Shortage | undefined): Iterable<Evictable> {
    const nowMs = this.#host.clock.monotonicMs();
    for (const pool of this.#host.pools.values()) {
      if (pool.claim === need) continue;
      const candidate = pool.claim.evictable(nowMs);
      if (!candidate || (shortage === 'instances' && candidate.rung === 'template')) continue;
      if (!need || mayEvict(need.capacityClass, candidate.class)) yield candidate;
    }
  }

  #latest(): MachineLook | undefined {
    const look = this.#host.machine?.look();
    if (look !== this.#look) {
      this.#look = look;
      this.#committedThenMiB = this.committedMiB;
      this.#instancesThen = this.instances;
    }
    return look;
  }
}

/** Of what the machine has so much is left to what runs, which may grow, and to everything else on it. */
const FLOOR = 0.05;
const MOST_FLOOR_MIB = 512;
const MOST_PROCESSES_LEFT = 1_024;
