/** Time as an argument. Nothing outside the kernel, the adapters, main and cli reads a clock by itself. */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch. */
  now(): number;
  /** Monotonic time in milliseconds, with fractions. Only differences mean something. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. The timer doesn't keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` once, in this turn of the event loop, after the I/O that has arrived already was handled. */
  soon(run: () => void): void;
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
  soon: (run) => void setImmediate(run),
};

export type ManualClock = Clock & {
  /**
   * Moves time on by `ms`, running due timers in order of their due time, each at its own moment; what was to run `soon` comes after
   * the timers of its moment. `advance(0)`: only what is due now.
   */
  advance(ms: number): void;
};

/** A clock that stands still until it is moved: for tests and simulation. */
export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let elapsedMs = 0;
  const timers = new Set<{ dueMs: number; run: () => void }>();
  const soon: (() => void)[] = [];
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
    soon: (run) => void soon.push(run),
    advance(ms) {
      const targetMs = elapsedMs + ms;
      for (;;) {
        // What was put off waits for the timers of this moment, and time waits for it.
        const next = earliest(soon.length > 0 ? elapsedMs : targetMs);
        if (next) {
          timers.delete(next);
          elapsedMs = next.dueMs;
          next.run();
          continue;
        }
        if (soon.length === 0) break;
        for (const run of soon.splice(0)) run();
      }
      elapsedMs = targetMs;
    },
  };
}
