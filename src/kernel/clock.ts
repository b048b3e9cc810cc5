/** Time as an argument. Nothing outside the kernel, the adapters, main and cli reads a clock by itself. */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. */
  now(): number;
  /** Monotonic time in milliseconds, with fractions. Only differences mean something. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. The timer doesn't keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

export type ManualClock = Clock & {
  /** Moves time on by `ms`, running due timers in order of their due time, each at its own moment. */
  advance(ms: number): void;
};

/** A clock that stands still until it is moved: for tests and simulation. */
export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let elapsedMs = 0;
  const timers = new Set<{ dueMs: number; run: () => void }>();
  const earliest = (limitMs: number) =>
    [...timers]
      .filter((t) => t.dueMs <= limitMs)
      .reduce<{ dueMs: number; run: () => void } | undefined>((a, b) => (a && a.dueMs <= b.dueMs ? a : b), undefined);
  return {
    now: () => startMs + Math.floor(elapsedMs),
    monotonicMs: () => elapsedMs,
    after(delayMs, run) {
      const timer = { dueMs: elapsedMs + Math.max(0, delayMs), run };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    advance(ms) {
      const targetMs = elapsedMs + ms;
      for (let next = earliest(targetMs); next; next = earliest(targetMs)) {
        timers.delete(next);
        elapsedMs = next.dueMs;
        next.run();
      }
      elapsedMs = targetMs;
    },
  };
}
