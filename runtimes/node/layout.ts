/**
 * Where V8's heap lies. V8 asks for each of its pages at a random address, so that each has page tables of its own, three levels of them:
 * of an idle instance they would be a third, and fork copies them. An address that is taken the kernel replaces by one next to what was
 * given last. So all addresses that V8 could ask for are taken: by a library that the loader maps first (`reserve.ts`), and where that did not
 * work as soon as there is a program; what V8 has by then moves as far as it can be moved. Where that fails too nothing else does.
 */
import { setFlagsFromString } from 'node:v8';
import { readMappings } from './forkable.ts';
import { libc } from './libc.ts';
import { FROM, TO } from './reserve.ts';
import { collectGarbage } from './rungs.ts';

const PROT_NONE = 0;
/** MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE, MAP_FIXED_NOREPLACE. */
const FLAGS = 0x02 | 0x20 | 0x4000 | 0x10_0000;

type Range = { readonly from: bigint; readonly bytes: bigint };

let taken: Range[] = [];

/** Before much has been allocated. */
export function crowdHeap(): void {
  let at = FROM;
  for (const { from, bytes } of readMappings()) {
    if (from + bytes <= FROM) continue;
    if (from >= TO) break;
    take(at, from);
    at = from + bytes;
  }
  take(at, TO);
}

/** Collects all garbage and moves what stays: once, in the zygote, when it has all that its children begin with. */
export function compactHeap(): void {
  setFlagsFromString('--compact-on-every-full-gc');
  collectGarbage('major', 'last-resort');
  setFlagsFromString('--no-compact-on-every-full-gc');
  // Where V8's pages were are gaps now, and one range can do for many.
  for (const { from, bytes } of taken) libc.munmap(from, bytes);
  taken = [];
  crowdHeap();
}

function take(from: bigint, to: bigint): void {
  const bytes = to - from;
  if (bytes > 0n && libc.mmap(from, bytes, PROT_NONE, FLAGS, -1, 0n) === from) taken.push({ from, bytes });
}
