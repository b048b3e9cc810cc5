/**
 * The C library, as far as the fork ladder needs it. glibc on Linux, x64 and arm64. What is called for each instance takes addresses as numbers,
 * which Node passes on as they are; into what is given for a `pointer` it looks first.
 */
import * as ffi from 'node:ffi';

const { functions } = ffi.dlopen('libc.so.6', {
  fork: { return: 'i32', arguments: [] },
  execve: { return: 'i32', arguments: ['u64', 'u64', 'u64'] },
  _exit: { return: 'void', arguments: ['i32'] },
  waitpid: { return: 'i32', arguments: ['i32', 'u64', 'i32'] },
  kill: { return: 'i32', arguments: ['i32', 'i32'] },
  getrandom: { return: 'i64', arguments: ['u64', 'u64', 'u32'] },
  clock_gettime: { return: 'i32', arguments: ['i32', 'u64'] },
  getpid: { return: 'i32', arguments: [] },
  setsid: { return: 'i32', arguments: [] },
  unshare: { return: 'i32', arguments: ['i32'] },
  setns: { return: 'i32', arguments: ['i32', 'i32'] },
  mount: { return: 'i32', arguments: ['string', 'string', 'string', 'u64', 'string'] },
  umount2: { return: 'i32', arguments: ['string', 'i32'] },
  chdir: { return: 'i32', arguments: ['u64'] },
  syscall: { return: 'i64', arguments: ['i64', 'u64', 'u64', 'u64'] },
  prctl: { return: 'i32', arguments: ['i32', 'u64', 'u64', 'u64', 'u64'] },
  setgroups: { return: 'i32', arguments: ['u64', 'pointer'] },
  setresuid: { return: 'i32', arguments: ['u32', 'u32', 'u32'] },
  setresgid: { return: 'i32', arguments: ['u32', 'u32', 'u32'] },
  setrlimit: { return: 'i32', arguments: ['i32', 'u64'] },
  socket: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  bind: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
  listen: { return: 'i32', arguments: ['i32', 'i32'] },
  connect: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
  socketpair: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'u64'] },
  pipe2: { return: 'i32', arguments: ['u64', 'i32'] },
  getsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'u64'] },
  open: { return: 'i32', arguments: ['string', 'i32', 'u32'] },
  lseek: { return: 'i64', arguments: ['i32', 'i64', 'i32'] },
  setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'] },
  ioctl: { return: 'i32', arguments: ['i32', 'u64', 'pointer'] },
  putenv: { return: 'i32', arguments: ['u64'] },
  write: { return: 'i64', arguments: ['i32', 'u64', 'u64'] },
  sendmsg: { return: 'i64', arguments: ['i32', 'u64', 'i32'] },
  recvmsg: { return: 'i64', arguments: ['i32', 'u64', 'i32'] },
  poll: { return: 'i32', arguments: ['u64', 'u64', 'i32'] },
  shutdown: { return: 'i32', arguments: ['i32', 'i32'] },
  dup2: { return: 'i32', arguments: ['i32', 'i32'] },
  dup3: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  epoll_create1: { return: 'i32', arguments: ['i32'] },
  eventfd: { return: 'i32', arguments: ['u32', 'i32'] },
  close: { return: 'i32', arguments: ['i32'] },
  fcntl: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  signalfd: { return: 'i32', arguments: ['i32', 'pointer', 'i32'] },
  sigprocmask: { return: 'i32', arguments: ['i32', 'pointer', 'pointer'] },
  signal: { return: 'pointer', arguments: ['i32', 'u64'] },
  memfd_create: { return: 'i32', arguments: ['string', 'u32'] },
  mmap: { return: 'i64', arguments: ['u64', 'u64', 'i32', 'i32', 'i32', 'i64'] },
  munmap: { return: 'i32', arguments: ['u64', 'u64'] },
  mprotect: { return: 'i32', arguments: ['u64', 'u64', 'i32'] },
  mremap: { return: 'i64', arguments: ['u64', 'u64', 'u64', 'i32', 'u64'] },
  malloc: { return: 'u64', arguments: ['u64'] },
  free: { return: 'void', arguments: ['u64'] },
  malloc_trim: { return: 'i32', arguments: ['u64'] },
  sbrk: { return: 'u64', arguments: ['i64'] },
  memcpy: { return: 'u64', arguments: ['u64', 'u64', 'u64'] },
  memset: { return: 'u64', arguments: ['u64', 'i32', 'u64'] },
  __errno_location: { return: 'u64', arguments: [] },
});

export const libc = functions;
const { getInt32 } = ffi;

/** The C library's last error. V8 may call into the C library between two calls from JavaScript: a hint for messages, no more. */
export function lastErrno(): number {
  return getInt32(functions.__errno_location());
}

export class SystemCallError extends Error {
  readonly errno: number;
  constructor(what: string, errno: number) {
    super(`${what} failed with errno ${errno}`);
    this.errno = errno;
  }
}

// Kept: what user code makes of the global must not run here, between two steps of confining a process.
const toNumber: (value: unknown) => number = Number;

/** Throws when a call answered -1. */
export function check(result: number | bigint, what: string): number {
  const value = toNumber(result);
  if (value === -1) throw new SystemCallError(what, lastErrno());
  return value;
}

/** A buffer that stays where it is: small typed arrays may live on V8's moving heap, this one never does. */
export function pinned(size: number): Pinned {
  const buffer = Buffer.from(new ArrayBuffer(Math.max(size, 4096)));
  return { buffer, address: ffi.getRawPointer(buffer) };
}

/** The address is good for as long as somebody has the buffer. */
export type Pinned = { readonly buffer: Buffer; readonly address: bigint };

/** A string of C. */
export function pinnedText(text: string): Pinned {
  const bytes = pinned(Buffer.byteLength(text) + 1);
  bytes.buffer.write(text);
  return bytes;
}
