/** What functions that attack have in common: system calls by number, memory for them, and what came of an attempt as a text. */
import ffi from 'node:ffi';
import { constants } from 'node:os';

export const { functions: c } = ffi.dlopen('libc.so.6', {
  syscall: { return: 'i64', arguments: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i64'] },
  mmap: { return: 'i64', arguments: ['u64', 'u64', 'i32', 'i32', 'i32', 'i64'] },
  // Calls code at any address: its last argument is a function.
  bsearch: { return: 'u64', arguments: ['u64', 'u64', 'u64', 'u64', 'u64'] },
  recvmsg: { return: 'i64', arguments: ['i32', 'pointer', 'i32'] },
  getsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'] },
  setns: { return: 'i32', arguments: ['i32', 'i32'] },
  __errno_location: { return: 'u64', arguments: [] },
});
const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `got RESULT`, or `refused: CODE`. */
export function call(number, ...args) {
  const result = c.syscall(BigInt(number), ...Array.from({ length: 6 }, (_, i) => BigInt(args[i] ?? 0)));
  if (result >= 0n) return `got ${result}`;
  const errno = ffi.getInt32(c.__errno_location());
  return `refused: ${names.get(errno) ?? errno}`;
}

/** The same of what Node does. */
export function attempt(run) {
  try {
    return `got ${String(run()).slice(0, 200)}`;
  } catch (error) {
    return `refused: ${error.code ?? error.message}`;
  }
}

/** Memory that stays where it is. */
export const pinned = (size = 4096) => Buffer.from(new ArrayBuffer(Math.max(size, 4096)));
export const address = (buffer) => ffi.getRawPointer(buffer);

/** The address of a text for the kernel. */
export function string(text) {
  const buffer = pinned();
  buffer.write(`${text}\0`);
  return address(buffer);
}
