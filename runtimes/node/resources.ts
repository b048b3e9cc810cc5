/** What a function's processes may take (setrlimit(2)). */
import { check, libc, pinned } from '../ladder/libc.ts';
import { FIXED_LIMITS, RLIMIT_NPROC } from '../ladder/limits.ts';

const RLIMIT_DATA = 2;

const MiB = 1024 * 1024;
/**
 * V8 reserves room for a worker's machine code, at least this much, and never fills it; the kernel counts all of it as memory. Each worker
 * that lives adds this to the limit, so that what is left for everything else stays the same.
 */
const WORKER_CODE_BYTES = 64 * MiB;
/** More of them run on the function's own memory. What is beyond reach of the soft limit is within reach of native code, so it is not much. */
const WORKERS = 8;

// Filled in by index: user code may have changed what typed arrays can do by the time a worker is made.
const { buffer, address } = pinned(16);
const pair = new BigUint64Array(buffer.buffer, 0, 2);
const toBigInt: (value: number) => bigint = BigInt;
const { min } = Math;
let dataBytes = 0;
let workers = 0;

export type ResourceLimits = {
  /** Private writable memory, mapped. */
  readonly dataBytes: number;
  /** Of this process's user; undefined: as many as its parent may have. */
  readonly processes: number | undefined;
};

/** Limits that this process and what it starts can't raise. */
export function limitResources(limits: ResourceLimits): void {
  ({ dataBytes } = limits);
  limitData();
  for (const [resource, most] of FIXED_LIMITS) set(resource, most, most);
  if (limits.processes !== undefined) set(RLIMIT_NPROC, limits.processes, limits.processes);
}

/** A worker thread begins (1), or has ended (-1). */
export function countWorker(change: 1 | -1): void {
  workers += change;
  // No function is limited where none of the above was called.
  if (dataBytes > 0) limitData();
}

function limitData(): void {
  set(RLIMIT_DATA, dataBytes + min(workers, WORKERS) * WORKER_CODE_BYTES, dataBytes + WORKERS * WORKER_CODE_BYTES);
}

function set(resource: number, soft: number, hard: number): void {
  pair[0] = toBigInt(soft);
  pair[1] = toBigInt(hard);
  check(libc.setrlimit(resource, address), `setrlimit ${resource}`);
}
