/**
 * Puts the machine code of this program that is in use onto huge pages (madvise(2), MADV_HUGEPAGE). A fork shares them as they are, where it
 * would map each small page of a file again at the first touch: a hundred page faults of an instance, and as many entries of page tables to be
 * taken down at its end. The processor translates addresses in them at once. Where the kernel has none, nothing changes.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { advise, readMappings } from './forkable.ts';
import { libc } from './libc.ts';
import { architecture } from './syscalls.ts';

const HUGE_BYTES = 2n * 1024n * 1024n;
const PAGE_BYTES = 4096n;
const ENTRY_BYTES = 8;
const ENTRIES = Number(HUGE_BYTES / PAGE_BYTES);
/** Of the pages of a huge one so many must be in use already: it takes memory of its own, once per zygote. */
const IN_USE = ENTRIES / 2;

const PROT_NONE = 0;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MREMAP_MAYMOVE_FIXED = 3;
const MADV_COLLAPSE = 25n;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL, _SHRINK, _GROW and _WRITE. */
const ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8;

/** Before there are other threads at work; code that lies elsewhere does the moving. */
export function useHugePages(): void {
  // Other systems have pages of another size.
  if (architecture() !== 'x64') return;
  for (const { from, bytes, name, access } of readMappings()) {
    if (name === process.execPath && access === 'r-xp') for (const run of runsInUse(from, from + bytes)) move(run.from, run.bytes);
  }
}

type Run = { readonly from: bigint; bytes: bigint };

/** Neighbouring places for huge pages, as long as they are in use. */
function runsInUse(from: bigint, to: bigint): Run[] {
  const runs: Run[] = [];
  const pages = openSync('/proc/self/pagemap', 'r');
  try {
    for (let at = alignUp(from); at + HUGE_BYTES <= to; at += HUGE_BYTES) {
      if (presentPages(pages, at) < IN_USE) continue;
      const last = runs.at(-1);
      if (last && last.from + last.bytes === at) last.bytes += HUGE_BYTES;
      else runs.push({ from: at, bytes: HUGE_BYTES });
    }
  } finally {
    closeSync(pages);
  }
  return runs;
}

/** See pagemap in the kernel's documentation: the highest bit of an entry says whether the page is there. */
function presentPages(pages: number, at: bigint): number {
  const entries = Buffer.alloc(ENTRIES * ENTRY_BYTES);
  readSync(pages, entries, 0, entries.length, Number(at / PAGE_BYTES) * ENTRY_BYTES);
  let present = 0;
  for (let i = ENTRY_BYTES - 1; i < entries.length; i += ENTRY_BYTES) if (entries[i]! & 0x80) present++;
  return present;
}

/** A copy takes the place of the original; in one step, for whoever runs in it. */
function move(from: bigint, bytes: bigint): void {
  const reserved = libc.mmap(0n, bytes + HUGE_BYTES, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
  if (reserved === -1n) return;
  const place = alignUp(reserved);
  const moved =
    mapCopy(from, bytes, place) &&
    advise(place, bytes, MADV_COLLAPSE) === 0 &&
    libc.mremap(place, bytes, bytes, MREMAP_MAYMOVE_FIXED, from) === from;
  if (place > reserved) libc.munmap(reserved, place - reserved);
  if (!moved) libc.munmap(place, bytes);
  const end = reserved + bytes + HUGE_BYTES;
  if (end > place + bytes) libc.munmap(place + bytes, end - place - bytes);
}

/** Nobody can write to the file any more, whatever becomes of the mapping. */
function mapCopy(from: bigint, bytes: bigint, place: bigint): boolean {
  const file = libc.memfd_create('code', MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file === -1) return false;
  try {
    if (libc.ftruncate(file, bytes) !== 0) return false;
    const writable = libc.mmap(0n, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0n);
    if (writable === -1n) return false;
    libc.memcpy(writable, from, bytes);
    libc.munmap(writable, bytes);
    if (libc.fcntl(file, F_ADD_SEALS, ALL_SEALS) !== 0) return false;
    return libc.mmap(place, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0n) === place;
  } finally {
    libc.close(file);
  }
}

const alignUp = (address: bigint): bigint => ((address + HUGE_BYTES - 1n) / HUGE_BYTES) * HUGE_BYTES;
