/** Which pages of this process have memory: /proc/pid/pagemap, as the kernel's documentation has it. */
import { closeSync, openSync, readSync } from 'node:fs';

export const PAGE_BYTES = 4096n;
const ENTRY_BYTES = 8;
/** The highest bit of an entry. */
const PRESENT = 0x80;

export class Pagemap {
  readonly #fd = openSync('/proc/self/pagemap', 'r');

  /** For each page of a range that begins with one. */
  present(from: bigint, bytes: bigint): boolean[] {
    const entries = Buffer.alloc(Number(bytes / PAGE_BYTES) * ENTRY_BYTES);
    readSync(this.#fd, entries, 0, entries.length, Number(from / PAGE_BYTES) * ENTRY_BYTES);
    return Array.from({ length: entries.length / ENTRY_BYTES }, (_, i) => (entries[(i + 1) * ENTRY_BYTES - 1]! & PRESENT) !== 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
