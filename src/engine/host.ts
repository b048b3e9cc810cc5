import type { Clock, Log, Random } from '../kernel/mod.ts';
import { CAPACITY_CLASSES } from '../policy/mod.ts';
import type { AccountView } from '../policy/mod.ts';
import type { InvocationReport, LoneStart, Machine, Sandboxes } from '../ports/mod.ts';
import { BootLine } from './boot-line.ts';
import type { EngineLog } from './engine.ts';
import type { Limits } from './limits.ts';
import type { Pool } from './pool.ts';
import { Room } from './room.ts';
import { Shares } from './shares.ts';
import type { Share } from './shares.ts';
import { Turns } from './turns.ts';
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
  readonly shares: Shares;
  /** Pools whose invocations wait for room on the machine. */
  readonly forRoom = new Turns();
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
    this.shares = new Shares(this);
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

  get maxWaiting(): number {
    return this.limits.queueDepthTotal;
  }

  began(): void {
    this.running++;
    this.begun++;
  }

  /** Whether others wait for what `pool` has under the limits: whoever has room must not keep it. */
  isShortFor(pool: Pool): boolean {
    return this.forRoom.size > 0 || pool.share.isShortFor(pool);
  }

  /** There is room again, in `pool` or by it. Pools that wait for room anywhere come first, in turn, or a busy one would keep it all. */
  freed(pool: Pool): void {
    const { share } = pool;
    if (this.forRoom.size > 0 || share.turns.size > 0 || this.boots.waiting > 0) this.letGo(share);
    if (pool.waiting.size > 0) pool.pump();
    pool.settle();
    if (this.running === 0 && this.onQuiet && this.quiet()) this.onQuiet();
  }

  /**
   * Gives what there is of the machine and of a share to those who wait for it: a turn for each pool of the highest class, then of the next
   * one, then the boots. Who waits for the machine has a place under its share, and comes before those that wait for one.
   */
  letGo(share: Share): void {
    for (const capacityClass of CAPACITY_CLASSES) {
      const line = this.forRoom.of(capacityClass);
      for (let turns = line.size; turns > 0 && line.first; turns--) {
        const { first } = line;
        first.leave();
        first.pool.pump(1);
      }
      share.letGo(capacityClass);
    }
    this.boots.next();
  }

  /** The same for all shares. */
  letGoAll(): void {
    this.letGo(this.shares.unreserved);
    for (const share of this.shares.reserved.values()) for (const capacityClass of CAPACITY_CLASSES) share.letGo(capacityClass);
  }

  quiet(): boolean {
    if (this.running > 0) return false;
    for (const pool of this.pools.values()) if (pool.waiting.size > 0) return false;
    return true;
  }
}
