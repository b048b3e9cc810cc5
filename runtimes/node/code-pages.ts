/**
 * Puts the machine code and the constants of this program that are in use onto huge pages (madvise(2), MADV_COLLAPSE). A fork shares them as
 * they are, where it would map each small page of a file again at the first touch: more than a hundred page faults of an instance, and as many
 * entries of page tables to be taken down at its end. The processor translates addresses in them at once. Where the kernel has none, nothing changes.
 */
import { libc } from '../ladder/libc.ts';
import { advise, readMappings } from './forkable.ts';
import type { Mapping } from './forkable.ts';
import { MAP_PRIVATE, MAP_PRIVATE_ANONYMOUS, PROT_EXEC, PROT_NONE, PROT_READ, takePlace } from './mapping.ts';
import { PAGE_BYTES, Pagemap, isPageSizeKnown } from './pagemap.ts';

const HUGE_BYTES = 2n * 1024n * 1024n;
const ENTRIES = Number(HUGE_BYTES / PAGE_BYTES);
/** Of the pages of a huge one so many must be in use already: it takes memory of its own, once per zygote. */
const IN_USE = ENTRIES / 2;
/** Of constants, of which fewer are there for nothing (`forgetConstants`): an instance has need of a part of them. */
const CONSTANTS_IN_USE = ENTRIES / 4;

const MAP_FIXED = 0x10;
const MADV_DONTNEED = 4n;
const MADV_COLLAPSE = 25n;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL, _SHRINK, _GROW and _WRITE. */
const ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8;

/** What the start of the program has read of them, which is most, is not what instances read: in use is what is read after this. */
export function forgetConstants(): void {
  if (!isPageSizeKnown) return;
  for (const { from, bytes, access } of constants()) if (access === 'r--p') advise(from, bytes, MADV_DONTNEED);
}

/** Before there are other threads at work; code that lies elsewhere does the moving. */
export function useHugePages(): void {
  if (!isPageSizeKnown) return;
  for (const run of runsInUse(constants())) move(run);
}

/** Of this program, what nobody has written to: the loader has to what lies right before data, until it was made read-only (PT_GNU_RELRO). */
function constants(): Mapping[] {
  const own = readMappings().filter(({ name }) => name === process.execPath);
  const data = own.find(({ access }) => access === 'rw-p');
  return own.filter(({ from, bytes, access }) => access === 'r-xp' || (access === 'r--p' && from + bytes !== data?.from));
}

type Run = { readonly from: bigint; bytes: bigint; readonly executable: boolean };

/** Neighbouring places of one kind for huge pages, as long as they are in use. */
function runsInUse(mappings: readonly Mapping[]): Run[] {
  const runs: Run[] = [];
  const pages = new Pagemap();
  try {
    for (const at of places(mappings)) {
      // Of a place with some of both all is.
      const executable = mappings.some((mapping) => mapping.access === 'r-xp' && overlap(mapping, at) > 0n);
      if (pages.count(at, HUGE_BYTES) < (executable ? IN_USE : CONSTANTS_IN_USE)) continue;
      const last = runs.at(-1);
      if (last && last.from + last.bytes === at && last.executable === executable) last.bytes += HUGE_BYTES;
      else runs.push({ from: at, bytes: HUGE_BYTES, executable });
    }
  } finally {
    pages.close();
  }
  return runs;
}

/** Where a huge page would hold nothing else. */
function places(mappings: readonly Mapping[]): bigint[] {
  const [first, last] = [mappings[0], mappings.at(-1)];
  const found: bigint[] = [];
  if (!first || !last) return found;
  for (let at = alignUp(first.from); at + HUGE_BYTES <= last.from + last.bytes; at += HUGE_BYTES) {
    const covered = mappings.reduce((sum, mapping) => sum + overlap(mapping, at), 0n);
    if (covered === HUGE_BYTES) found.push(at);
  }
  return found;
}

/** How much of a place is part of a mapping. */
function overlap({ from, bytes }: Mapping, at: bigint): bigint {
  const begin = from > at ? from : at;
  const end = from + bytes < at + HUGE_BYTES ? from + bytes : at + HUGE_BYTES;
  return end > begin ? end - begin : 0n;
}

/** A copy takes the place of the original; in one step, for whoever runs in it. */
function move(run: Run): void {
  const { from, bytes } = run;
  const reserved = libc.mmap(0n, bytes + HUGE_BYTES, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
  if (reserved === -1n) return;
  const place = alignUp(reserved);
  const moved = mapCopy(run, place) && advise(place, bytes, MADV_COLLAPSE) === 0 && takePlace(place, bytes, from);
  if (place > reserved) libc.munmap(reserved, place - reserved);
  if (!moved) libc.munmap(place, bytes);
  const end = reserved + bytes + HUGE_BYTES;
  if (end > place + bytes) libc.munmap(place + bytes, end - place - bytes);
}

/** Nobody can write to the file any more, whatever becomes of the mapping. */
function mapCopy({ from, bytes, executable }: Run, place: bigint): boolean {
  const file = libc.memfd_create('constants', MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file === -1) return false;
  try {
    if (!writeAll(file, from, bytes)) return false;
    if (libc.fcntl(file, F_ADD_SEALS, ALL_SEALS) !== 0) return false;
    const access = executable ? PROT_READ | PROT_EXEC : PROT_READ;
    return libc.mmap(place, bytes, access, MAP_PRIVATE | MAP_FIXED, file, 0n) === place;
  } finally {
    libc.close(file);
  }
}

/** Into pages that are mapped nowhere: to write them through a mapping takes twice as long. */
function writeAll(file: number, from: bigint, bytes: bigint): boolean {
  for (let done = 0n; done < bytes;) {
    const written = libc.write(file, from + done, bytes - done);
    if (written <= 0n) return false;
    done += written;
  }
  return true;
}

const alignUp = (address: bigint): bigint => ((address + HUGE_BYTES - 1n) / HUGE_BYTES) * HUGE_BYTES;
