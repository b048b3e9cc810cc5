import type { Clock } from './clock.ts';

/**
 * A clock that goes `speed` times as fast as the one it is made from, and shows the same time as that at the beginning. All of it is in its own
 * milliseconds, those of `after` too. Its monotonic time is that of the other one times `speed`: a moment that was read there is
 * known here. Whoever sets the other one's wall clock later does not set this one.
 */
export function fastClock(clock: Clock, speed: number): Clock {
  const beganMs = clock.now();
  const beganMonotonicMs = clock.monotonicMs();
  return {
    now: () => Math.floor(beganMs + (clock.monotonicMs() - beganMonotonicMs) * speed),
    monotonicMs: () => clock.monotonicMs() * speed,
    after: (delayMs, run) => clock.after(delayMs / speed, run),
    soon: (run) => clock.soon(run),
  };
}
