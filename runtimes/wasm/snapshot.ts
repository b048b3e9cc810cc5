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
  return mapped ?? copySnapshot(bytes.slice());
}

function copySnapshot(saved: Uint8Array): Snapshot {
  let bytes = new Uint8Array(0);
  const system = native();
  return {
    restore(memory, usedBytes) {
      if (bytes.length === 0) bytes = new Uint8Array(memory.buffer);
      bytes.set(saved);
      if (usedBytes > saved.length) clear(bytes, saved.length, usedBytes, system);
    },
  };
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
