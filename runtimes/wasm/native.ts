/**
 * What Node's library has no words for: times to the nanosecond, waiting for descriptors, and memory that goes back to what it was. Loaded at the
 * first use; where there is no such C library, callers do without.
 */
import { createRequire } from 'node:module';
import type * as Ffi from 'node:ffi';

export type Native = {
  readonly utimensat: (directory: number, path: string, times: bigint, flags: number) => number;
  readonly futimens: (fd: number, times: bigint) => number;
  readonly poll: (fds: bigint, count: bigint, timeoutMs: number) => number;
  readonly mmap: (address: bigint, bytes: bigint, protection: number, flags: number, fd: number, offset: bigint) => bigint;
  readonly madvise: (address: bigint, bytes: bigint, advice: number) => number;
  readonly memfdCreate: (name: string, flags: number) => number;
  readonly errno: () => number;
  readonly addressOf: (bytes: Uint8Array) => bigint;
};

let known: Native | undefined | null = null;

export function native(): Native | undefined {
  if (known === null) known = load();
  return known;
}

function load(): Native | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof Ffi;
    const { functions } = ffi.dlopen('libc.so.6', {
      utimensat: { return: 'i32', arguments: ['i32', 'string', 'u64', 'i32'] },
      futimens: { return: 'i32', arguments: ['i32', 'u64'] },
      poll: { return: 'i32', arguments: ['u64', 'u64', 'i32'] },
      mmap: { return: 'i64', arguments: ['u64', 'u64', 'i32', 'i32', 'i32', 'i64'] },
      madvise: { return: 'i32', arguments: ['u64', 'u64', 'i32'] },
      memfd_create: { return: 'i32', arguments: ['string', 'u32'] },
      __errno_location: { return: 'u64', arguments: [] },
    });
    return {
      utimensat: functions.utimensat,
      futimens: functions.futimens,
      poll: functions.poll,
      mmap: functions.mmap,
      madvise: functions.madvise,
      memfdCreate: functions.memfd_create,
      errno: () => ffi.getInt32(functions.__errno_location()),
      addressOf: (bytes) => ffi.getRawPointer(bytes),
    };
  } catch {
    // Another C library, or a Node without ffi: nothing of this is needed for being right, but nanoseconds.
    return undefined;
  }
}
