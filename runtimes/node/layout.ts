/**
 * Where V8's heap lies. V8 asks for each of its pages at a random address, so that each has page tables of its own, three levels of them:
 * of an idle instance they would be a third, and fork copies them. An address that is taken the kernel replaces by one next to what was
 * given last. So all addresses that V8 could ask for are taken: by a library that the loader maps first (`reserve.ts`), and where that did not
 * work as soon as there is a program; what V8 has by then moves as far as it can be moved. Where that fails too nothing else does.
 */
import { setFlagsFromString } from 'node:v8';
import { libc } from '../ladder/libc.ts';
import { collectGarbage } from '../ladder/garbage.ts';
import { readMappings } from './forkable.ts';
import type { Mapping } from './forkable.ts';
import { MAP_PRIVATE_ANONYMOUS, PROT_NONE, PROT_READ, PROT_WRITE, takePlace } from './mapping.ts';
import { PAGE_BYTES, Pagemap, isPageSizeKnown } from './pagemap.ts';
import { FROM, TO } from './reserve.ts';

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

/**
 * V8 has small areas that it has made read-only, with gaps between that can't be read: two dozen mappings, for each of which a fork makes objects
 * of the kernel's. A copy takes their place, of one mapping. Once, in the zygote.
 */
export function joinReadOnly(): void {
  if (!isPageSizeKnown) return;
  for (const run of readOnlyRuns()) if (run.length >= FEWEST) join(run);
}

/** Fewer are not worth a copy. */
const FEWEST = 4;
const LARGEST = 0x4_0000n;

/** Neighbours that can't be written to. */
function readOnlyRuns(): Mapping[][] {
  const runs: Mapping[][] = [];
  let end = 0n;
  for (const mapping of readMappings()) {
    const small = mapping.name === '' && mapping.bytes <= LARGEST && (mapping.access === READABLE || mapping.access === '---p');
    if (!small) continue;
    if (mapping.from !== end) runs.push([]);
    runs.at(-1)!.push(mapping);
    end = mapping.from + mapping.bytes;
  }
  return runs;
}

const READABLE = 'r--p';

function join(run: readonly Mapping[]): void {
  const [from, last] = [run[0]!.from, run.at(-1)!];
  const bytes = last.from + last.bytes - from;
  const copy = libc.mmap(0n, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
  if (copy === -1n) return;
  const pages = new Pagemap();
  for (const part of run) {
    if (part.access !== READABLE) continue;
    pages.forEach(part.from, part.bytes, (page) => {
      const at = BigInt(page) * PAGE_BYTES;
      libc.memcpy(copy + at - from, at, PAGE_BYTES);
    });
  }
  pages.close();
  const joined = libc.mprotect(copy, bytes, PROT_READ) === 0 && takePlace(copy, bytes, from);
  if (!joined) libc.munmap(copy, bytes);
}

function take(from: bigint, to: bigint): void {
  const bytes = to - from;
  if (bytes > 0n && libc.mmap(from, bytes, PROT_NONE, FLAGS, -1, 0n) === from) taken.push({ from, bytes });
}
