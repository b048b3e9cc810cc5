/**
 * Looks at what instances compute, and lets those give way that do so for long (hogs.ts says who). Only where control groups share the
 * processors. Nothing of it is done when an invocation begins or ends: a timer looks at who is at work, a part of them at a time.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Clock } from '../../kernel/mod.ts';
import { libc, pinned } from '../../../runtimes/ladder/libc.ts';
import { Crowds, isCrowd } from './crowds.ts';
import type { Crowding } from './crowds.ts';
import { NOBODY, isHog, isScarce, whoYields } from './hogs.ts';

export type Computing = Crowding & {
  /** The number of what it is at work on, ENDING when it is being ended. Undefined: it is not at work. */
  invocation: () => number | undefined;
  yield(yields: boolean): void;
  readonly past: Past;
};

/** Of all that have been in one place: who comes next is taken for the same until it has shown that it is not. */
export type Past = Crowding['past'] & {
  /** Whether the last one was a hog. */
  hog: boolean;
};

export const harmless = (): Past => ({ crowdMs: -Infinity, hog: false });

/** What its processes do while they are killed is the end of what they did. */
export const ENDING = -1;

export type CpuWatchOptions = {
  readonly clock: Clock;
  /** Whether all functions together yield. */
  readonly yieldAll: (yields: boolean) => void;
  /** Milliseconds that all processors together had nothing to do, since some moment. */
  readonly idleMs?: () => number;
  readonly processors?: number;
  /** Milliseconds that a process has used a processor; undefined when it has ended. */
  readonly usedMs?: (pid: number) => number | undefined;
};

const SCARCE_EVERY_MS = 50;
const EVERY_MS = 100;
/** So many are looked at at once, to see who is at work; the others next time. */
const AT_ONCE = 512;
/** Looking at what one uses takes some 50 us. */
const METERED_AT_ONCE = 32;
/** Of one with more processes so many are looked at, and taken for all. */
const PROCESSES = 32;

type Metered = {
  readonly invocation: number;
  readonly used: Map<number, number>;
  usedMs: number;
  ranMs: number;
  hog: boolean;
};

export class CpuWatch {
  readonly #options: Required<CpuWatchOptions>;
  readonly #all = new Set<Computing>();
  /** Those at work. */
  readonly #metered = new Map<Computing, Metered>();
  readonly #crowds: Crowds;
  #yielding = NOBODY;
  #looking = false;
  #lookedMs = 0;
  #idleMs = 0;

  constructor(options: CpuWatchOptions) {
    this.#options = { idleMs: machineIdleMs, processors: availableParallelism(), usedMs: processUsedMs, ...options };
    this.#crowds = new Crowds(this.#options);
  }

  add(computing: Computing): void {
    this.#all.add(computing);
    if (this.#looking) return;
    this.#looking = true;
    this.#begin();
    this.#lookLater(EVERY_MS);
  }

  /** It begins its work. */
  begins(computing: Computing): void {
    if (computing.past.hog) computing.yield(true);
    this.#crowds.begins(computing);
  }

  /** It is being killed. */
  ends(computing: Computing): void {
    this.#crowds.ends(computing);
  }

  /** It yields on, if it does, and is throttled: whoever uses its group again sees to that. */
  delete(computing: Computing): void {
    this.#all.delete(computing);
    this.#metered.delete(computing);
    this.#crowds.delete(computing);
  }

  #look(): void {
    const period = this.#begin();
    const scarce = isScarce(period);
    for (const [computing, metered] of this.#metered) if (!goesOn(computing, metered)) this.#release(computing, metered);
    if (scarce) this.#find();
    this.#crowds.review();
    if (scarce || this.#yielding.each || this.#yielding.all) this.#meter(scarce);
    const hogs = [...this.#metered].filter(([, { hog }]) => hog);
    const all = {
      ranMs: hogs.reduce((sum, [, { ranMs }]) => sum + ranMs, 0),
      weights: hogs.map(([{ weight }]) => weight),
    };
    this.#apply(
      whoYields(period, all, this.#yielding),
      hogs.map(([computing]) => computing),
    );
    if (this.#all.size > 0) this.#lookLater(scarce || hogs.length > 0 ? SCARCE_EVERY_MS : EVERY_MS);
    else this.#looking = false;
  }

  #begin() {
    const { clock, idleMs, processors } = this.#options;
    const [nowMs, nowIdleMs] = [clock.monotonicMs(), idleMs()];
    const period = { ms: nowMs - this.#lookedMs, processors, idleMs: nowIdleMs - this.#idleMs };
    this.#lookedMs = nowMs;
    this.#idleMs = nowIdleMs;
    return period;
  }

  /** Who is at work that was not when it was looked at last. */
  #find(): void {
    let looks = Math.min(AT_ONCE, this.#all.size);
    for (const computing of this.#all) {
      if (looks-- === 0) break;
      // To the end of the row.
      this.#all.delete(computing);
      this.#all.add(computing);
      const invocation = computing.invocation();
      if (invocation === undefined || this.#metered.has(computing)) continue;
      const { hog } = computing.past;
      // It may yield since it began, and be above suspicion by now.
      if (!hog) computing.yield(false);
      this.#metered.set(computing, { invocation, used: new Map(), usedMs: 0, ranMs: 0, hog });
    }
  }

  #meter(scarce: boolean): void {
    let looks = METERED_AT_ONCE;
    for (const [computing, metered] of [...this.#metered]) {
      if (looks-- === 0) break;
      this.#metered.delete(computing);
      this.#metered.set(computing, metered);
      const processes = computing.processes();
      if (scarce && isCrowd(processes.length) && computing.invocation() !== ENDING) this.#crowds.found(computing);
      metered.ranMs = this.#ranMs(processes, metered.used);
      metered.usedMs += metered.ranMs;
      if (isHog(metered.usedMs)) metered.hog = computing.past.hog = true;
    }
  }

  /** Since it was asked for last; 0 when that is now. */
  #ranMs(processes: readonly number[], used: Map<number, number>): number {
    const known = used.size > 0;
    const before = new Map(used);
    let ranMs = 0;
    used.clear();
    for (const pid of processes.slice(0, PROCESSES)) {
      const nowMs = this.#options.usedMs(pid);
      if (nowMs === undefined) continue;
      used.set(pid, nowMs);
      // One that was not there yet has begun since then.
      if (known) ranMs += nowMs - (before.get(pid) ?? 0);
    }
    return ranMs * Math.max(1, processes.length / PROCESSES);
  }

  #apply(yielding: typeof NOBODY, hogs: readonly Computing[]): void {
    if (yielding.all !== this.#yielding.all) this.#options.yieldAll(yielding.all);
    this.#yielding = yielding;
    for (const hog of hogs) hog.yield(yielding.each);
  }

  #release(computing: Computing, { hog, usedMs }: Metered): void {
    this.#metered.delete(computing);
    computing.past.hog = isHog(usedMs);
    if (hog) computing.yield(false);
  }

  #lookLater(afterMs: number): void {
    this.#options.clock.after(afterMs, () => this.#look());
  }
}

function goesOn(computing: Computing, { invocation }: Metered): boolean {
  const now = computing.invocation();
  return now === invocation || now === ENDING;
}

/** The second figure of /proc/uptime, in seconds. */
const machineIdleMs = (): number => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[1]) * 1_000;

const CPUCLOCK_SCHED = 2;
const time = pinned(16);

/** All its threads. The kernel's own number for the clock of another process (clock_getcpuclockid(3)). */
function processUsedMs(pid: number): number | undefined {
  if (libc.clock_gettime((~pid << 3) | CPUCLOCK_SCHED, time.address) !== 0) return undefined;
  return Number(time.buffer.readBigInt64LE(0)) * 1_000 + Number(time.buffer.readBigInt64LE(8)) / 1e6;
}
