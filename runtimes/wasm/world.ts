/** What a module is given, beside its memory: all that its WASI functions reach. */
import type { Descriptors } from './descriptors.ts';
import type { GuestMemory } from './guest-memory.ts';

export type World = {
  readonly memory: GuestMemory;
  /** Replaced for each invocation. */
  descriptors: Descriptors;
  readonly arguments: readonly Uint8Array[];
  readonly environment: readonly Uint8Array[];
  readonly clock: Clock;
  /** Absent: there is none for this module. `refused` hears of it. */
  readonly random?: ((target: Uint8Array) => void) | undefined;
  readonly refused: (what: string) => void;
};

/** Both in nanoseconds. */
export type Clock = {
  readonly realtime: () => bigint;
  readonly monotonic: () => bigint;
  readonly resolution: bigint;
};

const MS = 1_000_000n;
const NS_PER_MS = 1_000_000;

export const preciseClock: Clock = {
  realtime: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * NS_PER_MS)),
  monotonic: () => process.hrtime.bigint(),
  resolution: 1_000n,
};

/** Whole milliseconds: too coarse to time a cache with. */
export const coarseClock: Clock = {
  realtime: () => BigInt(Date.now()) * MS,
  monotonic: () => BigInt(Math.floor(performance.now())) * MS,
  resolution: MS,
};

/** `proc_exit` unwinds the module's stack with it. */
export class ModuleExit {
  readonly code: number;
  constructor(code: number) {
    this.code = code;
  }
}

/** `proc_raise` of a signal that ends a process. */
export class ModuleSignal {
  readonly signal: number;
  constructor(signal: number) {
    this.signal = signal;
  }
}

/** Each ends with a zero byte. */
export const cTexts = (texts: readonly string[]): readonly Uint8Array[] => texts.map((text) => Buffer.from(`${text}\0`));
