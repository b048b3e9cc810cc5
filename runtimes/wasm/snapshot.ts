/**
 * A module's linear memory as init left it, and how it becomes that again. A small one is copied back. A large one becomes a private mapping of a
 * file in memory: what an invocation has written to is a page of its own, and giving those back to the kernel takes as long as they are many,
 * however large the rest is.
 */
import { closeSync, writeSync } from 'node:fs';
import type { Memory } from './engine.ts';
import { native } from './native.ts';
import type { Native } from './native.ts';

export type Snapshot = {
  /** `usedBytes`: how much of the memory the module knows of by now; beyond the snapshot it was zero. */
  restore(memory: Memory, usedBytes: number): void;
};

/** Copying so much takes as long as mapping does with a few pages written to. */
const COPIED_BYTES = 256 * 1024;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_FIXED = 0x12;
const MFD_CLOEXEC = 1;
const MADV_DONTNEED = 4;
const FAILED = -1n;

export function takeSnapshot(memory: Memory): Snapshot {
  const bytes = new Uint8Array(memory.buffer);
  const system = native();
  const mapped = bytes.length > COPIED_BYTES && system ? mapOver(bytes, system) : undefined;
  return mapped ?? copySnapshot(bytes);
}

function copySnapshot(saved: Uint8Array): Snapshot {
  let bytes = new Uint8Array(0);
  const system = native();
  const { length } = saved;
  const stretches = stretchesOf(saved);
  return {
    restore(memory, usedBytes) {
      if (bytes.length === 0) bytes = new Uint8Array(memory.buffer);
      for (const { from, to, content } of stretches) {
        if (content) bytes.set(content, from);
        else bytes.fill(0, from, to);
      }
      if (usedBytes > length) clear(bytes, length, usedBytes, system);
    },
  };
}

/** Without `content` it is zero: writing that takes half of what copying does, and leaves more of the processor's cache to others. */
type Stretch = { readonly from: number; to: number; content: Uint8Array | undefined };

const PAGE_BYTES = 4096;

/** Of whole pages. */
function stretchesOf(saved: Uint8Array): Stretch[] {
  const stretches: Stretch[] = [];
  for (let from = 0; from < saved.length; from += PAGE_BYTES) {
    const page = saved.subarray(from, from + PAGE_BYTES);
    const content = page.some((byte) => byte !== 0) ? page : undefined;
    const last = stretches.at(-1);
    if (!last || (last.content === undefined) !== (content === undefined)) stretches.push({ from, to: from + page.length, content });
    else {
      last.to = from + page.length;
      if (content) last.content = saved.subarray(last.from, last.to);
    }
  }
  // The rest of what was saved is kept by nobody.
  for (const stretch of stretches) stretch.content = stretch.content?.slice();
  return stretches;
}

/** Undefined: the kernel does not give such a mapping. */
function mapOver(bytes: Uint8Array, system: Native): Snapshot | undefined {
  const length = bytes.length;
  const fd = system.memfdCreate('wasm-memory', MFD_CLOEXEC);
  if (fd < 0) return undefined;
  try {
    writeParts(fd, bytes);
    const address = system.addressOf(bytes);
    if (system.mmap(address, BigInt(length), PROT_READ_WRITE, MAP_PRIVATE_FIXED, fd, 0n) === FAILED) return undefined;
    return {
      restore(memory, usedBytes) {
        // V8 has reserved all that the memory can become: it grows where it is.
        if (usedBytes > length && system.addressOf(new Uint8Array(memory.buffer)) !== address) throw new Error('the memory has moved');
        system.madvise(address, BigInt(length), MADV_DONTNEED);
        if (usedBytes > length) clear(new Uint8Array(memory.buffer), length, usedBytes, system);
      },
    };
  } finally {
    closeSync(fd);
  }
}

const PART_BYTES = 64 * 1024;

/** Parts of zeros are left out: they need no memory in the file. */
function writeParts(fd: number, bytes: Uint8Array): void {
  const zeros = Buffer.alloc(PART_BYTES);
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    const part = Buffer.from(bytes.buffer, at, Math.min(PART_BYTES, bytes.length - at));
    const last = at + part.length === bytes.length;
    if (last || !part.equals(zeros)) writeSync(fd, part, 0, part.length, at);
  }
}

/** What lies behind the snapshot is anonymous memory of V8's: given back, it is zero again. */
function clear(bytes: Uint8Array, from: number, to: number, system: Native | undefined): void {
  if (!system || to - from <= COPIED_BYTES) bytes.fill(0, from, to);
  else system.madvise(system.addressOf(bytes) + BigInt(from), BigInt(to - from), MADV_DONTNEED);
}
