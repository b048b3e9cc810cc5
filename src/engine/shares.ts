import { isClosed, isUsedUp, unreservedOf } from '../policy/mod.ts';
import type { CapacityClass, ShareView } from '../policy/mod.ts';
import type { Host } from './host.ts';
import type { Pool } from './pool.ts';
import { Turns } from './turns.ts';

/** What the pools of one function may run together, or those of all functions without a reservation; and whose turn is next. */
export class Share implements ShareView {
  readonly reserved: boolean;
  maxRunning: number;
  running = 0;
  /** Pools that wait for an invocation of this share to end. */
  readonly turns = new Turns();

  constructor(reserved: boolean, maxRunning: number) {
    this.reserved = reserved;
    this.maxRunning = maxRunning;
  }

  /**
   * Whether an invocation of `pool` that ends must give its place back. Of a reservation it is known by who waits whether others want it; of
   * what all functions share, that is taken for granted once it is used up.
   */
  isShortFor({ turn }: Pool): boolean {
    const { size } = this.turns;
    if (!this.reserved) return size > 0 || isUsedUp(this);
    return this.running > this.maxRunning || size > (turn.isIn(this.turns) ? 1 : 0);
  }

  /** A turn for each pool of the class that waits, and again, for as long as there is something to give. */
  letGo(capacityClass: CapacityClass): void {
    const line = this.turns.of(capacityClass);
    for (let turn = line.first; turn && !isUsedUp(this); turn = line.first) {
      turn.leave();
      turn.pool.pump(1, this.turns);
    }
  }
}

/** Who runs under what: a function under its reservation, all others together under what the account has left. */
export class Shares {
  readonly unreserved: Share;
  readonly #host: Host;
  readonly #reserved = new Map<string, Share>();

  constructor(host: Host) {
    this.#host = host;
    this.unreserved = new Share(false, host.limits.concurrentInvocations);
  }

  /** By function name. */
  get reserved(): ReadonlyMap<string, Share> {
    return this.#reserved;
  }

  of(functionName: string): Share {
    return this.#reserved.get(functionName) ?? this.unreserved;
  }

  /** As `Engine.reserve` has it. What runs counts under the new share from now on. */
  reserve(functionName: string, maxRunning: number | undefined): void {
    const known = this.#reserved.get(functionName);
    if (known?.maxRunning === maxRunning) return;
    const { unreserved } = this;
    const { concurrentInvocations, unreservedInvocations } = this.#host.limits;
    if (maxRunning === undefined) this.#reserved.delete(functionName);
    else if (known) known.maxRunning = maxRunning;
    else this.#reserved.set(functionName, new Share(true, maxRunning));
    unreserved.maxRunning = unreservedOf(concurrentInvocations, unreservedInvocations, this.#reserved.values());
    const share = this.of(functionName);
    for (const pool of this.#host.pools.values()) if (pool.deployment.functionName === functionName) pool.running.moveTo(share);
    for (const changed of new Set([share, unreserved])) {
      this.#hold(changed);
      this.#host.letGo(changed);
    }
  }

  /** Where there is less now than runs, nothing more begins by itself; where there is nothing at all, nobody need wait for it. */
  #hold(share: Share): void {
    if (!isUsedUp(share)) return;
    for (const pool of this.#host.pools.values()) {
      if (pool.share !== share) continue;
      pool.ahead.recallAll();
      if (isClosed(share)) pool.pump();
    }
  }
}
