import type { Clock, Log, Random } from '../kernel/mod.ts';
import { leastRecentlyUsed } from '../policy/mod.ts';
import type { HostView } from '../policy/mod.ts';
import type { InvocationReport, LoneStart, Sandboxes } from '../ports/mod.ts';
import type { EngineLog } from './engine.ts';
import type { Limits } from './limits.ts';
import type { Pool } from './pool.ts';

/** What the pools of an engine share: its parts, its limits, and the room under them. */
export class Host implements HostView {
  readonly sandboxes: Sandboxes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (line: EngineLog) => void;
  readonly report: (report: InvocationReport) => void;
  readonly started: (start: LoneStart) => void;
  readonly isFollowed: (functionName: string) => boolean;
  readonly platformLog: Log;
  readonly limits: Limits;
  readonly pools = new Map<string, Pool>();
  /** Pools with waiting invocations that only room elsewhere can help, longest first. */
  readonly #blocked = new Set<Pool>();
  running = 0;
  instances = 0;
  draining = false;
  /** Called when nothing runs and nothing waits any more. */
  onQuiet: (() => void) | undefined;

  constructor(
    parts: Pick<Host, 'sandboxes' | 'clock' | 'random' | 'log' | 'report' | 'started' | 'isFollowed' | 'platformLog' | 'limits'>,
  ) {
    this.sandboxes = parts.sandboxes;
    this.clock = parts.clock;
    this.random = parts.random;
    this.log = parts.log;
    this.report = parts.report;
    this.started = parts.started;
    this.isFollowed = parts.isFollowed;
    this.platformLog = parts.platformLog;
    this.limits = parts.limits;
  }

  /** What it is called here when a sandbox is made and init is run. */
  get bootKind(): 'boot' | 'spawn' {
    return this.sandboxes.driver === 'spawn' ? 'spawn' : 'boot';
  }

  get maxRunning(): number {
    return this.limits.concurrentInvocations;
  }

  get maxInstances(): number {
    return this.limits.maxInstancesTotal;
  }

  canEvict(): boolean {
    for (const pool of this.pools.values()) if (pool.restingSinceMs !== undefined) return true;
    return false;
  }

  /** Ends idle instances, the longest idle first, until one more fits. */
  makeRoomForInstance(): void {
    while (this.instances >= this.maxInstances) {
      const pool = leastRecentlyUsed(this.pools.values());
      if (!pool) return;
      pool.endLongestIdle();
    }
  }

  /** Closes templates that nobody uses, the longest unused first, until one more fits. Ones in use are never closed. */
  makeRoomForTemplate(): void {
    const templates = [...this.pools.values()].map((pool) => pool.template).filter((template) => template.stage === 'ready');
    for (let excess = templates.length + 1 - this.limits.maxTemplates; excess > 0; excess--) {
      const unused = leastRecentlyUsed(templates);
      if (!unused) return;
      unused.close('template made room');
    }
  }

  /** Whether invocations wait for room under the limits: whoever has room must not keep it. */
  get isShort(): boolean {
    return this.#blocked.size > 0 || this.running >= this.maxRunning;
  }

  block(pool: Pool): void {
    this.#blocked.add(pool);
  }

  unblock(pool: Pool): void {
    this.#blocked.delete(pool);
  }

  /** There is room again, in `pool` or by it. Pools that wait for room anywhere come first, in turn, or a busy one would keep it all. */
  freed(pool: Pool): void {
    for (let turns = this.#blocked.size; turns > 0 && this.running < this.maxRunning; turns--) {
      const [next] = this.#blocked;
      if (!next) break;
      this.#blocked.delete(next);
      next.pump(1);
    }
    if (pool.waiting.size > 0) pool.pump(Infinity);
    pool.settle();
    if (this.running === 0 && this.onQuiet && this.quiet()) this.onQuiet();
  }

  quiet(): boolean {
    if (this.running > 0) return false;
    for (const pool of this.pools.values()) if (pool.waiting.size > 0) return false;
    return true;
  }
}
