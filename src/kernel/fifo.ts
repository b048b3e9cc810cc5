import type { Clock, Timer } from './clock.ts';

/**
 * A queue whose links live in its members: adding, removing and taking from either end allocate nothing and take constant time,
 * which is what lets an invocation be armed with a deadline, and an instance be put by and taken up again, without a timer or an
 * object of its own. A member is in one queue at a time.
 */
export class Fifo<T extends Linked<T>> {
  size = 0;
  first: T | undefined;
  last: T | undefined;

  push(member: T): void {
    member.previous = this.last;
    member.next = undefined;
    if (this.last) this.last.next = member;
    else this.first = member;
    this.last = member;
    member.queue = this;
    this.size++;
  }

  /** Puts a member before all others. */
  unshift(member: T): void {
    member.previous = undefined;
    member.next = this.first;
    if (this.first) this.first.previous = member;
    else this.last = member;
    this.first = member;
    member.queue = this;
    this.size++;
  }

  /** Does nothing when the member is not in this queue. */
  remove(member: T): void {
    if (member.queue !== this) return;
    if (member.previous) member.previous.next = member.next;
    else this.first = member.next;
    if (member.next) member.next.previous = member.previous;
    else this.last = member.previous;
    member.previous = undefined;
    member.next = undefined;
    member.queue = undefined;
    this.size--;
  }
}

export interface Linked<T extends Linked<T>> {
  previous: T | undefined;
  next: T | undefined;
  queue: Fifo<T> | undefined;
  /** Monotonic time at which the member expires; only in an ExpiringFifo. */
  dueMs: number;
}

/** Timers count whole milliseconds and may fire a fraction early; a member is due this much before its time. */
const TOLERANCE_MS = 0.5;

/**
 * A Fifo in which every member may stay equally long, so that the first is always the next to expire and one timer serves all. The
 * timer is not cancelled when the queue runs empty: it finds nothing due and rests, at most once per `ttlMs`.
 */
export class ExpiringFifo<T extends Linked<T>> extends Fifo<T> {
  readonly #clock: Clock;
  #ttlMs: number;
  readonly #expire: (member: T) => void;
  #timer: Timer | undefined;
  #armed = false;

  constructor(options: { readonly clock: Clock; readonly ttlMs: number; readonly expire: (member: T) => void }) {
    super();
    this.#clock = options.clock;
    this.#ttlMs = options.ttlMs;
    this.#expire = options.expire;
  }

  get ttlMs(): number {
    return this.#ttlMs;
  }

  /** For members that come from now on. Those that are there are due when they were to be, and those behind them not before that. */
  set ttlMs(ttlMs: number) {
    this.#ttlMs = ttlMs;
    if (this.first || !this.#armed) return;
    // What comes next may be due before the timer that found nothing to wait for.
    this.#timer?.cancel();
    this.#armed = false;
  }

  /** Adds a member at the end, from `nowMs` (monotonic) on. */
  add(member: T, nowMs: number): void {
    member.dueMs = nowMs + this.#ttlMs;
    this.push(member);
    if (!this.#armed) this.#arm(this.#ttlMs);
  }

  /** Puts back a member that was the first, or would have become it: it is due when it was to be. */
  override unshift(member: T): void {
    super.unshift(member);
    if (!this.#armed) this.#arm(this.#ttlMs);
  }

  /** Stops the timer. Members that are left no longer expire. */
  stop(): void {
    this.#timer?.cancel();
    this.#armed = false;
  }

  #arm(delayMs: number): void {
    this.#armed = true;
    this.#timer = this.#clock.after(delayMs, () => this.#fire());
  }

  #fire(): void {
    const nowMs = this.#clock.monotonicMs();
    // Stays armed meanwhile: what `expire` adds is due last, and must not set the timer for itself.
    for (let member = this.first; member && member.dueMs <= nowMs + TOLERANCE_MS; member = this.first) {
      this.remove(member);
      this.#expire(member);
    }
    if (this.first) this.#arm(Math.max(TOLERANCE_MS, this.first.dueMs - nowMs));
    else this.#armed = false;
  }
}
