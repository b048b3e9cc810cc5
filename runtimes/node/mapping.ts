/** mmap(2) and mremap(2), as far as memory is laid out anew. */
import { libc } from '../ladder/libc.ts';

export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const MAP_PRIVATE = 0x02;
export const MAP_PRIVATE_ANONYMOUS = 0x22;
const MREMAP_MAYMOVE_FIXED = 3;

/** A copy takes the place of the original, in one step. Whether it could. */
export const takePlace = (copy: bigint, bytes: bigint, original: bigint): boolean =>
  libc.mremap(copy, bytes, bytes, MREMAP_MAYMOVE_FIXED, original) === original;
