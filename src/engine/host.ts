import type { Clock, Log, Random } from '../kernel/mod.ts';
import { CAPACITY_CLASSES } from '../policy/mod.ts';
import type { AccountView, CapacityClass } from '../policy/mod.ts';
import type { InvocationReport, LoneStart, Machine, Sandboxes } from '../ports/mod.ts';
import { BootLine } from './boot-line.ts';
import type { EngineLog } from './engine.ts';
import type { Limits } from './limits.ts';
import type { Pool } from './pool.ts';
import { Room } from './room.ts';
import type { Warming } from './warming.ts';
import { Watch } from './watch.ts';

type Parts = Pick<
  Host,
  'sandboxes' | 'clock' | 'random' | 'log' | 'report' | 'started' | 'isFollowed' | 'platformLog' | 'limits' | 'machine' | 'warming'
>;

/** What the pools of an engine share: its parts, its limits, and the turns of those who wait for room. Its one account is all of them. */
export class Host implements AccountView {
  readonly sandboxes: Sandboxes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (line: EngineLog) => void;
  readonly report: (report: InvocationReport) => void;
  readonly started: (start: LoneStart) => void;
  readonly isFollowed: (functionName: string) => boolean;
  readonly platformLog: Log;
  readonly limits: Limits;
  readonly machine: Machine | undefined;
  readonly warming: Warming | undefined;
  readonly pools = new Map<string, Pool>();
  /** What there is of the machine, and what can be had. */
  readonly room: Room;
  readonly boots: BootLine;
  readonly watch: Watch;
  /** Pools with waiting invocations that only room elsewhere can help, longest first. */
  readonly #blocked: Readonly<Record<CapacityClass, Set<Pool>>> = { reserved: new Set(), standard: new Set(), spot: new Set() };
  #blockedPools = 0;
  running = 0;
  waiting = 0;
  /** Invocations that have begun since the host began. */
  begun = 0;
  draining = false;
  /** Called when nothing runs and nothing waits any more. */
  onQuiet: (() => void) | undefined;

  constructor(parts: Parts) {
    this.sandboxes = parts.sandboxes;
    this.clock = parts.clock;
    this.random = parts.random;
    this.log = parts.log;
    this.report = parts.report;
    this.started = parts.started;
    this.isFollowed = parts.isFollowed;
    this.platformLog = parts.platformLog;
    this.limits = parts.limits;
    this.machine = parts.machine;
    this.warming = parts.warming;
    this.room = new Room(this);
    this.boots = new BootLine({
      clock: this.clock,
      processors: this.limits.processors,
      pressure: () => this.machine?.look().pressure.cpu,
      makeRoom: (need, alone) => this.room.makeForTemplate(need, alone),
    });
    this.watch = new Watch(this);
  }

  /** What it is called here when a sandbox is made and init is run. */
  get bootKind(): 'boot' | 'spawn' {
    return this.sandboxes.driver === 'spawn' ? 'spawn' : 'boot';
  }

  get maxRunning(): number {
    return this.limits.concurrentInvocations;
  }

  get maxWaiting(): number {
    return this.limits.queueDepthTotal;
  }

  began(): void {
    this.running++;
    this.begun++;
  }

  /** Whether invocations wait for room under the limits: whoever has room must not keep it. */
  get isShort(): boolean {
    return this.#blockedPools > 0 || this.running >= this.maxRunning;
  }

  block(pool: Pool): void {
    const line = this.#blocked[pool.claim.capacityClass];
    if (line.has(pool)) return;
    line.add(pool);
    this.#blockedPools++;
  }

  unblock(pool: Pool): void {
    if (this.#blocked[pool.claim.capacityClass].delete(pool)) this.#blockedPools--;
  }

  /** There is room again, in `pool` or by it. Pools that wait for room anywhere come first, in turn, or a busy one would keep it all. */
  freed(pool: Pool): void {
    if (this.#blockedPools > 0 || this.boots.waiting > 0) this.letGo();
    if (pool.waiting.size > 0) pool.pump(Infinity);
    pool.settle();
    if (this.running === 0 && this.onQuiet && this.quiet()) this.onQuiet();
  }

  /** Gives what room there is to those who wait for it: a turn for each pool of the highest class, then of the next one, then the boots. */
  letGo(): void {
    for (const capacityClass of CAPACITY_CLASSES) {
      const line = this.#blocked[capacityClass];
      for (let turns = line.size; turns > 0 && this.running < this.maxRunning; turns--) {
        const [next] = line;
        if (!next) break;
        this.unblock(next);
        next.pump(1);
      }
    }
    this.boots.next();
  }

  quiet(): boolean {
    if (this.running > 0) return false;
    for (const pool of this.pools.values()) if (pool.waiting.size > 0) return false;
    return true;
  }
}
