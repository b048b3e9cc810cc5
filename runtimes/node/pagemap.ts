/** Which pages of this process have memory: /proc/pid/pagemap, as the kernel's documentation has it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { architecture } from '../ladder/syscalls.ts';

export const PAGE_BYTES = 4096n;
/** Other systems have pages of another size. */
export const isPageSizeKnown = architecture() === 'x64';
const ENTRY_BYTES = 8;
/** Of the highest byte of an entry: it is there, or in swap. */
const PRESENT = 0x80 | 0x40;
const AT_ONCE = 512;

export class Pagemap {
  readonly #fd = openSync('/proc/self/pagemap', 'r');
  readonly #entries = Buffer.alloc(AT_ONCE * ENTRY_BYTES);

  /** Of the pages from `from`, which is where one begins. */
  count(from: bigint, bytes: bigint): number {
    let count = 0;
    this.forEach(from, bytes, () => count++);
    return count;
  }

  /** Calls with the number of each page that has memory; the first of the address space is 0. */
  forEach(from: bigint, bytes: bigint, call: (page: number) => void): void {
    const end = Number((from + bytes) / PAGE_BYTES);
    for (let page = Number(from / PAGE_BYTES); page < end; page += AT_ONCE) {
      const length = Math.min(AT_ONCE, end - page) * ENTRY_BYTES;
      readSync(this.#fd, this.#entries, 0, length, page * ENTRY_BYTES);
      for (let at = ENTRY_BYTES - 1; at < length; at += ENTRY_BYTES)
        if (this.#entries[at]! & PRESENT) call(page + (at - ENTRY_BYTES + 1) / ENTRY_BYTES);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
