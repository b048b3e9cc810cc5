/** What the fork ladder can do more cheaply than Node does (direct.ts), and other ways of starting a function cannot. */
export type Native = {
  /** Sets the variable in which functions find their invocation's trace; false: nothing was done. */
  readonly setTrace: (trace: string) => boolean;
  /** Whether libuv, asked while an immediate runs, knows of nothing else that keeps the event loop going. */
  readonly loopIsEmpty: () => boolean;
  /** How many operations libuv waits for: reads and writes, look-ups, work of its thread pool. */
  readonly requests: () => number;
};

export let native: Native | undefined;

/** Once, before the first invocation. */
export function useNative(given: Native): void {
  native = given;
}
