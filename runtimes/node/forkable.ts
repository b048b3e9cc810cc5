/**
 * Makes a Node process that has booted one that can be forked: what V8 keeps from children is given to them, and what libuv would share
 * with them is not. Once, before anything else.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { check, libc } from '../ladder/libc.ts';
import { ENOSYS, assemble, exceptions, installEverywhere } from '../ladder/seccomp.ts';
import { architecture, SYSCALLS } from '../ladder/syscalls.ts';
import type { Architecture } from '../ladder/syscalls.ts';
import { reviveLoop } from './rungs.ts';

const MADV_DONTFORK = 10;
const MADV_DOFORK = 11n;

export function makeForkable(): void {
  // libuv's rings are memory that a fork shares: whoever writes into it has calls made by this process. The main loop's goes with its
  // renewal below, that of a thread of Node's stays, in this process only.
  for (const { from, bytes, name } of readMappings())
    if (name.includes('io_uring')) check(advise(from, bytes, BigInt(MADV_DONTFORK)), 'madvise');
  installEverywhere(assemble(forkableHeap(architecture())));
  // V8 has marked its heap so far, and the filter makes sure that it marks no more.
  for (const { from, bytes, name } of readMappings()) if (ANONYMOUS.test(name)) check(advise(from, bytes, MADV_DOFORK), 'madvise');
  reviveLoop();
}

/**
 * Answers madvise(MADV_DONTFORK) with success and does nothing: V8 marks its heap so, and a forked child would have none. And there is no
 * io_uring: libuv's rings are memory that a fork shares, and whoever writes into them has calls made by the zygote.
 */
export const forkableHeap = (arch: Architecture) =>
  exceptions([
    { call: SYSCALLS.io_uring_setup[arch], errno: ENOSYS },
    { call: SYSCALLS.madvise[arch], where: [2, MADV_DONTFORK], errno: 0 },
  ]);

/** Ends this process with `host`, its parent, even while somebody else holds the other end of its orders. */
export function endWithHost(host: number): void {
  const PR_SET_PDEATHSIG = 1;
  const SIGKILL = 9n;
  check(libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0n, 0n, 0n), 'prctl PR_SET_PDEATHSIG');
  // The host may have ended before the kernel was asked.
  if (process.ppid !== host) libc._exit(0);
}

/** Closes what whoever started this process left open for others: it survived execve, and nothing of Node's own does. */
export function closeInherited(firstOwn: number): void {
  const F_GETFD = 1;
  const FD_CLOEXEC = 1;
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    const flags = fd < firstOwn ? -1 : libc.fcntl(fd, F_GETFD, 0);
    if (flags !== -1 && (flags & FD_CLOEXEC) === 0) libc.close(fd);
  }
}

/** `access`: as in `r-xp`. */
export type Mapping = { readonly from: bigint; readonly bytes: bigint; readonly access: string; readonly name: string };

/** V8's memory has no name, or one that a program can give. */
const ANONYMOUS = /^(\[anon:.*)?$/;

/** proc_pid_maps(5). */
export function readMappings(): Mapping[] {
  const found = readFileSync('/proc/self/maps', 'latin1').matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/gm);
  return Array.from(found, ([, from, to, access, name]) => ({
    from: BigInt(`0x${from}`),
    bytes: BigInt(`0x${to}`) - BigInt(`0x${from}`),
    access: access!,
    name: name!,
  }));
}

/** madvise(2): 0, or -1. */
export const advise = (from: bigint, bytes: bigint, advice: bigint): number =>
  Number(libc.syscall(BigInt(SYSCALLS.madvise[architecture()]), from, bytes, advice));
