/**
 * A function that looks for others in all that it has: its memory, its environment, its files. What it looks for is given turned round, so that
 * it is not found where it was given. It runs in a sandbox, so it imports nothing of the project.
 */
import ffi from 'node:ffi';
import fs from 'node:fs';

const { functions: c } = ffi.dlopen('libc.so.6', { prctl: { return: 'i32', arguments: ['i32', 'u64', 'u64', 'u64', 'u64'] } });
const PR_SET_DUMPABLE = 4;
const CHUNK_BYTES = 1024 * 1024;
const chunk = Buffer.from(new ArrayBuffer(CHUNK_BYTES));
const needle = Buffer.from(new ArrayBuffer(4096));
const own = [chunk, needle].map((buffer) => {
  const from = ffi.getRawPointer(buffer);
  return { from, to: from + BigInt(buffer.length) };
});

/** Writable memory of this process that has been touched. */
function regions() {
  const found = fs.readFileSync('/proc/self/smaps', 'latin1').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw\S* [^]*?^Rss:\s+(\d+) kB/gm);
  return [...found].filter(([, , , kiB]) => kiB !== '0').map(([, from, to]) => ({ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`) }));
}

/** How often it is found, but where it was put together. */
function search(length) {
  // Else the file is the kernel's own.
  c.prctl(PR_SET_DUMPABLE, 1n, 0n, 0n, 0n);
  const memory = fs.openSync('/proc/self/mem', 'r');
  const looked = needle.subarray(0, length);
  let found = 0;
  let bytes = 0;
  for (const { from, to } of regions()) {
    for (let at = from; at < to; at += BigInt(CHUNK_BYTES - length)) {
      const size = Number(to - at < BigInt(CHUNK_BYTES) ? to - at : BigInt(CHUNK_BYTES));
      let count = 0;
      try {
        count = fs.readSync(memory, chunk, 0, size, at);
      } catch {
        continue;
      }
      bytes += count;
      const part = chunk.subarray(0, count);
      for (let i = part.indexOf(looked); i >= 0; i = part.indexOf(looked, i + 1)) {
        const place = at + BigInt(i);
        if (!own.some((range) => place >= range.from && place < range.to)) found++;
      }
    }
  }
  fs.closeSync(memory);
  return { found, bytes };
}

export const handler = async ({ attempt, turned }) => {
  if (attempt === 'none') return 'here';
  for (let i = 0; i < turned.length; i++) needle[turned.length - 1 - i] = turned.charCodeAt(i);
  return { ...search(turned.length), planted: process.env.PLANTED?.length };
};
