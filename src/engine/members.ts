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
  /** Those that run something and can take more: only where `concurrency` is above 1. */
  readonly #spare = new Fifo<Member>();
  readonly #concurrency: number;

  constructor(options: {
    readonly clock: Clock;
    readonly keepAliveMs: number;
    readonly concurrency: number;
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
    return this.#idle.size;
  }

  /** Those that can take an invocation. */
  get available(): number {
    return this.#idle.size + this.#spare.size;
  }

  /** The one to use next: one in use is filled before an idle one is woken. */
  get next(): Member | undefined {
    return this.#spare.last ?? this.#idle.last;
  }

  get longestIdle(): Member | undefined {
    return this.#idle.first;
  }

  add(member: Member): void {
    this.#all.add(member);
  }

  /** It has been given one more invocation. */
  took(member: Member): void {
    this.#idle.remove(member);
    member.running++;
    if (this.#concurrency === 1) return;
    if (member.running >= this.#concurrency) this.#spare.remove(member);
    else if (!member.queue) this.#spare.push(member);
  }

  /** It can be had again. */
  free(member: Member, nowMs: number): void {
    if (member.running > 0) {
      // What became free a moment ago may be in use again.
      if (!member.queue && member.running < this.#concurrency) this.#spare.push(member);
      return;
    }
    this.#spare.remove(member);
    if (!member.queue) this.#idle.add(member, nowMs);
  }

  remove(member: Member): void {
    this.#idle.remove(member);
    this.#spare.remove(member);
    this.#all.delete(member);
  }

  stop(): void {
    this.#idle.stop();
  }
}
