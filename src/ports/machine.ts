/**
 * The machine below the platform, as far as it sets limits: what of it may be used here (a container's share, where that is less), and how
 * much of that is in use, by whomever.
 */
export interface Machine {
  /** As it was a moment ago: the same value until it is looked at again, which is at most every `LOOK_EVERY_MS`. */
  look(): MachineLook;
}

export type MachineLook = {
  /** Monotonic time. */
  readonly atMs: number;
  readonly memory: { readonly limitMiB: number; readonly availableMiB: number };
  /** Processes and threads. `limit`: Infinity where nobody sets one. */
  readonly processes: { readonly used: number; readonly limit: number };
  /**
   * For how much of the last 10 s somebody waited for a processor, or for memory, percent (`some avg10` of the kernel's pressure stall
   * information); undefined where the kernel does not say.
   */
  readonly pressure: { readonly cpu: number | undefined; readonly memory: number | undefined };
};

export const LOOK_EVERY_MS = 200;
