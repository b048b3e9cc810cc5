import type { Fifo, Linked } from '../kernel/mod.ts';
import type { Instance } from '../ports/mod.ts';
import type { Run } from './run.ts';

/** An instance as its pool keeps it. */
export class Member implements Linked<Member> {
  readonly instance: Instance;
  /** Invocations that it runs now. */
  running = 0;
  /** The invocation that it took last: whose output it is when the instance writes and runs one at a time. */
  latest: Run | undefined;
  /** Invocations that it has been handed ahead, in order. */
  readonly ahead: Run[] = [];
  /** Monotonic time of its fork; undefined: nobody waited for it, and how long its first invocation takes says nothing about starts. */
  readonly forkedMs: number | undefined;
  /** Its init, which it runs by itself, is under way. */
  booting = false;
  /** Whether it has had an invocation. */
  used = false;
  /** Monotonic time at which it has ended its first invocation: what it has been given since then is warm. */
  warmSinceMs: number | undefined;
  /** The most memory that it reported. */
  memoryKiB = 0;
  /** It takes no more invocations, and is given up with the last of those that it runs. */
  leaving = false;
  /** False once the engine has given it up: it was killed, or it died. */
  alive = true;

  previous: Member | undefined;
  next: Member | undefined;
  queue: Fifo<Member> | undefined;
  dueMs = 0;

  constructor(instance: Instance, forkedMs: number | undefined) {
    this.instance = instance;
    this.forkedMs = forkedMs;
  }
}

/** How an invocation leaves its instance: fit for the next, to be looked at, or not to be used again. */
export type Health = 'sound' | 'doubtful' | 'poisoned';
