const { wait } = Atomics;
const never = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread for so long. Kept from user code, which may have changed the globals. */
export function nap(ms: number): void {
  wait(never, 0, 0, ms);
}
