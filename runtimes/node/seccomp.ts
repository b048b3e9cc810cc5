/** Seccomp filters in classic BPF (linux/seccomp.h, linux/filter.h). The programs are pure functions of the architecture. */
import { check, libc, pinned } from './libc.ts';
import { AUDIT_ARCH, DENIED, HIGHEST_KNOWN, SYSCALLS, architecture } from './syscalls.ts';
import type { Architecture } from './syscalls.ts';

/** op, jump if true, jump if false, constant. Jumps count instructions to skip. */
export type Instruction = readonly [op: number, jumpTrue: number, jumpFalse: number, constant: number];

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_ABOVE = 0x25;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

const NUMBER = 0;
const ARCH = 4;
/** The low word of argument `i`. */
const argument = (i: number) => 16 + 8 * i;

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (number: number) => 0x00050000 | number;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const MADV_DONTFORK = 10;
/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NAMESPACES = 0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (glibc lists interfaces through it). */
const SOCKET_FAMILIES = [1, 2, 10, 16];
const SOCK_TYPE_MASK = 0xf;
const SOCK_RAW = 3;
const SOCK_PACKET = 10;

/**
 * For the zygote. Answers madvise(MADV_DONTFORK) with success and does nothing: V8 marks its heap so, and a forked child would have none.
 * And there is no io_uring: libuv's rings are memory that a fork shares, and whoever writes into them has calls made by the zygote.
 */
export function forkableHeap(arch: Architecture): Instruction[] {
  return [
    [LOAD, 0, 0, NUMBER],
    [IF_EQUAL, 0, 1, SYSCALLS.io_uring_setup[arch]],
    [RETURN, 0, 0, errno(ENOSYS)],
    [IF_EQUAL, 0, 3, SYSCALLS.madvise[arch]],
    [LOAD, 0, 0, argument(2)],
    [IF_EQUAL, 0, 1, MADV_DONTFORK],
    [RETURN, 0, 0, errno(0)],
    [RETURN, 0, 0, ALLOW],
  ];
}

/** The filter under which user code runs. */
export function userCode(arch: Architecture): Instruction[] {
  const allow: Instruction = [RETURN, 0, 0, ALLOW];
  return [
    [LOAD, 0, 0, ARCH],
    [IF_EQUAL, 1, 0, AUDIT_ARCH[arch]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER],
    // Also the x32 calls of x86-64: they have bit 30 set.
    [IF_ABOVE, 0, 1, HIGHEST_KNOWN],
    [RETURN, 0, 0, errno(ENOSYS)],
    // The C library falls back to clone, whose flags can be seen; those of clone3 are behind a pointer.
    [IF_EQUAL, 0, 1, SYSCALLS.clone3[arch]],
    [RETURN, 0, 0, errno(ENOSYS)],
    ...Object.values(DENIED).flatMap((numbers): Instruction[] =>
      numbers[arch] < 0
        ? []
        : [
            [IF_EQUAL, 0, 1, numbers[arch]],
            [RETURN, 0, 0, errno(EPERM)],
          ],
    ),
    [IF_EQUAL, 0, 4, SYSCALLS.clone[arch]],
    [LOAD, 0, 0, argument(0)],
    [IF_ANY_BIT, 0, 1, CLONE_NAMESPACES],
    [RETURN, 0, 0, errno(EPERM)],
    allow,
    [IF_EQUAL, 1, 0, SYSCALLS.socket[arch]],
    allow,
    ...socketRules(),
  ];
}

/** Only the families and types that functions need; no raw and no packet sockets. */
function socketRules(): Instruction[] {
  const last = SOCKET_FAMILIES.length - 1;
  return [
    [LOAD, 0, 0, argument(0)],
    ...SOCKET_FAMILIES.map((family, i): Instruction => [IF_EQUAL, last - i + 1, 0, family]),
    [RETURN, 0, 0, errno(EAFNOSUPPORT)],
    [LOAD, 0, 0, argument(0)],
    // NETLINK is always raw, and harmless in a network namespace of one's own without capabilities.
    [IF_EQUAL, 4, 0, 16],
    [LOAD, 0, 0, argument(1)],
    [0x54, 0, 0, SOCK_TYPE_MASK], // A &= constant
    [IF_EQUAL, 2, 0, SOCK_RAW],
    [IF_EQUAL, 1, 0, SOCK_PACKET],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, errno(EPERM)],
  ];
}

/** A program as the kernel takes it (struct sock_fprog), to be installed any number of times. */
export type Filter = ReturnType<typeof pinned>;

export function assemble(program: readonly Instruction[]): Filter {
  const { buffer, address } = pinned(16 + program.length * 8);
  buffer.writeUInt16LE(program.length, 0);
  buffer.writeBigUInt64LE(address + 16n, 8);
  program.forEach(([op, jumpTrue, jumpFalse, constant], i) => {
    const at = 16 + i * 8;
    buffer.writeUInt16LE(op, at);
    buffer[at + 2] = jumpTrue;
    buffer[at + 3] = jumpFalse;
    buffer.writeUInt32LE(constant >>> 0, at + 4);
  });
  return { buffer, address };
}

/** Puts a filter before all further system calls of this thread and its descendants. Needs no privilege under no_new_privs. */
export function install(filter: Filter): void {
  installWith(filter, 0n);
}

/** The same for all threads of this process. */
export function installEverywhere(filter: Filter): void {
  const SECCOMP_FILTER_FLAG_TSYNC = 1n;
  installWith(filter, SECCOMP_FILTER_FLAG_TSYNC);
}

function installWith({ address }: Filter, flags: bigint): void {
  check(libc.prctl(38, 1n, 0n, 0n, 0n), 'prctl PR_SET_NO_NEW_PRIVS');
  const SECCOMP_SET_MODE_FILTER = 1n;
  check(libc.syscall(BigInt(SYSCALLS.seccomp[architecture()]), SECCOMP_SET_MODE_FILTER, flags, address), 'seccomp');
}
