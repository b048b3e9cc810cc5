/**
 * What a sandbox remembers of how it came to be: when it did what, by the machine's monotonic clock, which all processes share. In a forked
 * process `performance.now` still counts from the start of the zygote, and so does the host's from its own: neither can be compared.
 */
const { hrtime } = process;

/** Milliseconds of CLOCK_MONOTONIC. */
export function machineMs(): number {
  const time = hrtime();
  return time[0] * 1_000 + time[1] / 1e6;
}
