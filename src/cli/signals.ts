import { constants } from 'node:os';

/** A terminal signals everyone in it, and npm passes on what it got itself: what comes this soon is the first signal once more. */
const ECHO_MS = 300;

/**
 * Calls `heard` at the first SIGINT or SIGTERM; the next one ends the process as if it had not been caught. Returns how to leave that to the
 * system again.
 */
export function onSignal(heard: (signal: NodeJS.Signals) => void): () => void {
  let firstMs: number | undefined;
  const listener = (signal: NodeJS.Signals): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      heard(signal);
    } else if (performance.now() - firstMs > ECHO_MS) process.exit(signalled(signal));
  };
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return () => void process.off('SIGINT', listener).off('SIGTERM', listener);
}

/** The exit code of a process that a signal has ended. */
export const signalled = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];
