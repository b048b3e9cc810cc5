/**
 * A policy over a trace in simulated time, with the policy's own code. No decision knows of anything after its time: where all calls of a
 * minute are one, all functions are judged by what was held before any of them was told.
 */
import { evictedFirst, retention } from '../policy/mod.ts';
import type { WarmingPolicy } from '../policy/mod.ts';
import { Activity } from './activity.ts';
import { Held } from './held.ts';
import type { Result, SimulateOptions } from './result.ts';
import { summary } from './summary.ts';
import type { Trace } from './trace.ts';

export function simulate(trace: Trace, policy: WarmingPolicy, options: SimulateOptions): Result {
  const held = trace.functions.map((traced) => new Held(policy, traced, options));
  const room = new Room(policy, held, options.limitMemoryMiB ?? Infinity);
  const minutes = Math.min(trace.minutes, options.toMinute ?? Infinity);
  const fromMs = (options.fromMinute ?? 0) * MINUTE_MS;
  const run = { held, room, fromMs, expect: expectations(held) };
  if (options.resolution === 'minutes') inMinutes(run, new Activity(trace, undefined), minutes);
  else inMilliseconds(run, new Activity(trace, options.seed), minutes);
  return summary(policy.name, held, room.evictions);
}

type Run = {
  readonly held: readonly Held[];
  readonly room: Room;
  readonly fromMs: number;
  readonly expect: (ids: readonly string[], nowMs: number) => void;
};

/**
 * Calls and decisions are in the middle of a minute. Whoever is called in it is held in all of it. What is held for ten minutes is there
 * for a call ten minutes later, as the literature counts it: a minute is looked at just before its middle.
 */
function inMinutes({ held, room, fromMs, expect }: Run, activity: Activity, minutes: number): void {
  const cold = new Uint8Array(held.length);
  for (let minute = 0; minute < minutes; minute++) {
    const nowMs = (minute + 0.5) * MINUTE_MS;
    const counted = nowMs >= fromMs;
    const active = activity.functionsIn(minute);
    const calls = activity.callsIn(minute);
    for (let i = 0; i < active.length; i++) {
      const one = held[active[i]!]!;
      cold[active[i]!] = one.begin(nowMs - 1, counted) ? 1 : 0;
      if (counted) one.count(calls[i]!, true);
      one.busyUntilMs = nowMs + MINUTE_MS / 2;
    }
    // Also where it is not counted: a plan that has ended is asked for again now, and not when others have been called since.
    for (const one of held) {
      const memoryMiB = one.memoryAt(nowMs - 1);
      if (counted) one.memoryMiBSeconds += memoryMiB * (MINUTE_MS / 1_000);
    }
    for (const index of active) {
      const one = held[index]!;
      const expected = one.called(nowMs, cold[index] === 1, room.inflation);
      one.planAt(nowMs);
      expect(expected, nowMs);
      // What was called in a minute has answered at its end.
      one.busyUntilMs = nowMs;
    }
    room.make(nowMs);
  }
}

/** Every call has its time, and its instance is busy for as long as a call of that function takes. */
function inMilliseconds({ held, room, fromMs, expect }: Run, activity: Activity, minutes: number): void {
  for (let minute = 0; minute < minutes; minute++) {
    room.make(minute * MINUTE_MS);
    const ending = endingBefore(held, (minute + 1) * MINUTE_MS);
    for (const { index, atMs, untilMs, calls } of activity.arrivalsIn(minute)) {
      ending.upTo(atMs);
      const one = held[index]!;
      const counted = atMs >= fromMs;
      one.account(atMs);
      // What overlaps with a call finds the function warm: how many instances it then needs is no question of warming.
      const cold = atMs >= one.busyUntilMs && one.begin(atMs, counted);
      if (counted) one.count(calls, !one.touched || Math.floor(one.lastUsedMs / MINUTE_MS) < minute);
      let expected = one.called(atMs, cold, room.inflation);
      for (let thenMs = atMs + TOGETHER_MS; thenMs < untilMs; thenMs += TOGETHER_MS) one.called(thenMs, false, room.inflation);
      if (untilMs > atMs) expected = [...expected, ...one.called(untilMs, false, room.inflation)];
      one.busyUntilMs = Math.max(one.busyUntilMs, untilMs + one.runsMs + (cold ? one.savedMs : 0));
      one.planAt(one.busyUntilMs);
      expect(expected, atMs);
      if (cold) room.make(atMs);
    }
    ending.upTo((minute + 1) * MINUTE_MS);
  }
  for (const one of held) one.account(minutes * MINUTE_MS);
}

/** Plans that end before then are asked for again at their ends, and not when their functions are looked at: others may have been called since. */
function endingBefore(held: readonly Held[], untilMs: number): { upTo(nowMs: number): void } {
  const ending = held
    .filter(({ planEndsMs }) => planEndsMs < untilMs)
    .map((one) => ({ one, atMs: one.planEndsMs }))
    .toSorted((one, other) => one.atMs - other.atMs);
  let next = 0;
  return {
    upTo(nowMs) {
      for (; next < ending.length && ending[next]!.atMs <= nowMs; next++) {
        const { one, atMs } = ending[next]!;
        one.account(atMs);
        one.rungAt(atMs);
      }
    },
  };
}

/** Functions that are expected have other plans now. */
function expectations(held: readonly Held[]): Run['expect'] {
  const byId = new Map(held.map((one) => [one.subject.id, one]));
  return (ids, nowMs) => {
    for (const id of ids) {
      const one = byId.get(id);
      if (one === undefined || one.busyUntilMs > nowMs) continue;
      one.account(nowMs);
      one.planAt(nowMs);
    }
  };
}

/** What the host has for all of them. */
class Room {
  evictions = 0;
  /** What was evicted last scored that: see `retention`. */
  inflation = 0;
  readonly #policy: WarmingPolicy;
  readonly #held: readonly Held[];
  readonly #limitMiB: number;

  constructor(policy: WarmingPolicy, held: readonly Held[], limitMiB: number) {
    this.#policy = policy;
    this.#held = held;
    this.#limitMiB = limitMiB;
  }

  /** Evicts until what is held fits. What is at work stays, and may be more than that for as long. */
  make(nowMs: number): void {
    if (this.#limitMiB === Infinity) return;
    let usedMiB = 0;
    const idle = new Set<Held>();
    for (const one of this.#held) {
      const memoryMiB = one.memoryAt(nowMs);
      usedMiB += memoryMiB;
      if (memoryMiB > 0 && one.busyUntilMs <= nowMs) idle.add(one);
    }
    while (usedMiB > this.#limitMiB) {
      const evicted = evictedFirst(this.#policy.eviction, idle);
      if (evicted === undefined) return;
      idle.delete(evicted);
      usedMiB -= evicted.memoryAt(nowMs);
      this.inflation = Math.max(this.inflation, retention(this.#policy.eviction, evicted));
      evicted.account(nowMs);
      evicted.evict();
      this.evictions++;
    }
  }
}

const MINUTE_MS = 60_000;
/** Calls that are taken together are told as one in so many milliseconds: less than half a minute, which a policy takes for no gap. */
const TOGETHER_MS = 20_000;
