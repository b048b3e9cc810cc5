/**
 * The C library's heap, as children find it. Between what is in use lie thousands of small gaps, and the C library keeps its lists of them in the
 * gaps themselves: a child that takes a few dozen of them, or has them merged, copies a page for nearly each. So all gaps are taken, by nobody,
 * and what a child asks for lies side by side behind them. Their memory stays shared.
 */
import { libc } from './libc.ts';

/** More than a gap has, less than what is mapped by itself. */
const LARGEST = 64 * 1024;
/** What the C library gives at least. */
const SMALLEST = 24;
/** Blocks next to each other come from one place that is larger than them all. */
const IN_A_ROW = 4;
/** Of each size: more would be no gaps. */
const MOST = 20_000;

const toNumber: (value: unknown) => number = Number;

/** Bytes that were taken. Nothing of user code's is called: a template does this too. */
export function fillGaps(): number {
  const edge = findEdge();
  let taken = 0;
  if (edge === 0) return taken;
  for (let size = LARGEST / 2; size >= SMALLEST; size = smaller(size)) {
    for (let i = 0; i < MOST; i++) {
      const at = toNumber(libc.malloc(BigInt(size)));
      if (at === 0 || at >= edge) break;
      taken += size;
    }
  }
  return taken;
}

const smaller = (size: number): number => (size > 1024 ? size / 2 : size > SMALLEST && size < SMALLEST + 16 ? SMALLEST : size - 16);

/** Behind it nothing is in use. 0: it was not found. */
function findEdge(): number {
  let row = 0;
  for (let i = 0, last = 0; i < MOST; i++) {
    const at = toNumber(libc.malloc(BigInt(LARGEST)));
    row = at === last + LARGEST + 16 ? row + 1 : 0;
    if (row === IN_A_ROW) return at;
    last = at;
  }
  return 0;
}
