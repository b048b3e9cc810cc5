/**
 * The C library's heap, as children find it. Between what is in use lie thousands of small gaps, and the C library keeps its lists of them in the
 * gaps themselves: a child that takes a few dozen of them, or has them merged, copies a page for nearly each. So all gaps are taken, for good,
 * and what a child asks for lies side by side behind them. The pages within them go back to the system.
 */
import { libc } from '../ladder/libc.ts';

/** More than a gap has, less than what is mapped by itself. */
const LARGE = 64 * 1024;
/** In front of each block. */
const HEAD_BYTES = 8;
/** What the C library cuts off at least, with the head. */
const SMALLEST = 32;
/** Of each size: more would be no gaps. */
const MOST = 20_000;
const MOST_LARGE = 256;

// A template does this too, after user code: nothing is called that it could have changed.
const toNumber: (value: bigint) => number = Number;
const toBigInt: (value: number) => bigint = BigInt;
const large = new Float64Array(MOST_LARGE);

/** Once in a process, which loses what it takes. Bytes. */
export function fillGaps(): number {
  // Of the gaps that are whole pages nothing is kept: nobody will write there.
  libc.malloc_trim(0n);
  let count = 0;
  let edge = 0;
  const end = heapEnd();
  // The first for which the heap had to grow is where it ended.
  for (; count < MOST_LARGE && edge === 0; count++) {
    const at = (large[count] = take(LARGE));
    if (at !== 0 && heapEnd() !== end) edge = at;
  }
  let taken = 0;
  for (let size = edge === 0 ? 0 : LARGE / 2; size >= SMALLEST; size = smaller(size)) {
    for (let i = 0; i < MOST && wasGap(take(size), edge); i++) taken += size;
  }
  for (let i = 0; i < count; i++) libc.free(toBigInt(large[i]!));
  return taken;
}

const heapEnd = (): number => toNumber(libc.sbrk(0n));

/** `size`: with the head. */
const take = (size: number): number => toNumber(libc.malloc(toBigInt(size - HEAD_BYTES)));

/** 0: there was no memory. What this thread has freed of other threads' heaps lies beyond the end, and goes first. */
const wasGap = (at: number, edge: number): boolean => at !== 0 && (at < edge || at >= heapEnd());

/** The C library's sizes are 16 apart, where there are many of each. */
const smaller = (size: number): number => (size > 1024 ? size / 2 : size - 16);
