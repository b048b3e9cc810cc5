import { ExpiringFifo, Fifo } from '../kernel/mod.ts';
import type { Clock } from '../kernel/mod.ts';
import type { Member } from './member.ts';

/**
 * The instances of one pool, by what can be had of them. Idle ones are a stack: the one that was used last is used next, so that
 * the hot stay hot, and the cold at the bottom grow old enough to be ended. Every change takes constant time.
 */
export class Members implements Iterable<Member> {
  readonly #all = new Set<Member>();
  readonly #idle: ExpiringFifo<Member>;
  /** Idle ones that nobody has used for long, or ever, and that are kept all the same. No timer runs for them. */
  readonly #held = new Fifo<Member>();
  /** Those that run something and can take more: only where `concurrency` is above 1. */
  readonly #spare = new Fifo<Member>();
  readonly #concurrency: number;

  constructor(options: {
    readonly clock: Clock;
    readonly keepAliveMs: number;
    readonly concurrency: number;
    /** It has been idle for so long. It goes, or is held. */
    readonly expire: (member: Member) => void;
  }) {
    const { clock, keepAliveMs, concurrency, expire } = options;
    this.#idle = new ExpiringFifo({ clock, ttlMs: keepAliveMs, expire });
    this.#concurrency = concurrency;
  }

  [Symbol.iterator](): Iterator<Member> {
    return this.#all.values();
  }

  get size(): number {
    return this.#all.size;
  }

  get idle(): number {
    return this.#idle.size + this.#held.size;
  }

  get held(): number {
    return this.#held.size;
  }

  /** Those that can take an invocation. */
  get available(): number {
    return this.#idle.size + this.#held.size + this.#spare.size;
  }

  /** The one to use next: one in use is filled before an idle one is woken. */
  get next(): Member | undefined {
    return this.#spare.last ?? this.#idle.last ?? this.#held.last;
  }

  get longestIdle(): Member | undefined {
    return this.#held.first ?? this.#idle.first;
  }

  /** Monotonic time since which that one is idle. */
  get idleSinceMs(): number | undefined {
    const { longestIdle } = this;
    return longestIdle && longestIdle.dueMs - this.#idle.ttlMs;
  }

  set keepAliveMs(ttlMs: number) {
    this.#idle.ttlMs = ttlMs;
  }

  add(member: Member): void {
    this.#all.add(member);
  }

  /** One that is idle is kept, however long it stays so. */
  hold(member: Member): void {
    this.#held.push(member);
  }

  /** The same for one that is new at `nowMs`. */
  holdNew(member: Member, nowMs: number): void {
    member.dueMs = nowMs + this.#idle.ttlMs;
    this.#held.push(member);
  }

  /** It has been given one more invocation. */
  took(member: Member): void {
    this.#idle.remove(member);
    this.#held.remove(member);
    member.running++;
    if (this.#concurrency === 1) return;
    if (member.running >= this.#concurrency) this.#spare.remove(member);
    else if (!member.queue) this.#spare.push(member);
  }

  /** It can be had again. */
  free(member: Member, nowMs: number): void {
    if (member.leaving) return;
    if (member.running > 0) {
      // What became free a moment ago may be in use again.
      if (!member.queue && member.running < this.#concurrency) this.#spare.push(member);
      return;
    }
    this.#spare.remove(member);
    if (!member.queue) this.#idle.add(member, nowMs);
  }

  /** It can be had no more. */
  withdraw(member: Member): void {
    member.leaving = true;
    this.#idle.remove(member);
    this.#held.remove(member);
    this.#spare.remove(member);
  }

  remove(member: Member): void {
    this.#idle.remove(member);
    this.#held.remove(member);
    this.#spare.remove(member);
    this.#all.delete(member);
  }

  stop(): void {
    this.#idle.stop();
  }
}
