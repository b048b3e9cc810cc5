/** Seccomp filters in classic BPF (linux/seccomp.h, linux/filter.h). The programs are pure functions of the architecture. */
import { check, libc, pinned } from './libc.ts';
import { ABSENT, AUDIT_ARCH, DENIED, HIGHEST_KNOWN, IGNORED, SYSCALLS, architecture } from './syscalls.ts';
import type { Architecture } from './syscalls.ts';

/** op, jump if true, jump if false, constant. Jumps count instructions to skip. */
export type Instruction = readonly [op: number, jumpTrue: number, jumpFalse: number, constant: number];

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_ABOVE = 0x25;
const IF_ANY_BIT = 0x45;
const AND = 0x54;
const RETURN = 0x06;

const NUMBER = 0;
const ARCH = 4;
/** The low word of argument `i`. */
const argument = (i: number) => 16 + 8 * i;

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (number: number) => 0x00050000 | number;
const SUCCESS = 0;
const EPERM = 1;
export const ENOSYS = 38;
const EPROTONOSUPPORT = 93;
const EAFNOSUPPORT = 97;

/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NAMESPACES = 0x00000080 | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOCK_TYPE_MASK = 0xf;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
/** The usual one of the type, TCP, UDP, and echo requests (ICMP, ICMPv6). */
const INTERNET_PROTOCOLS = [0, 6, 17, 1, 58];
/** IN_ACCESS, IN_CLOSE_NOWRITE, IN_OPEN: who else reads a file that all sandboxes and the host share. */
const READING_EVENTS = 0x01 | 0x10 | 0x20;
/** F_SETLEASE, F_NOTIFY, F_SETDELEG: they make others that open a shared file wait, or tell of them. */
const FILE_COMMANDS = [1024, 1026, 1040];
/** As a pid: limits of others, instances of the same sandbox, are not to be changed. */
const ITSELF = 0;

/** `where`: only with this value as the low word of this argument. */
export type Exception = { readonly call: number; readonly where?: readonly [argument: number, value: number]; readonly errno: number };

/** Answers some calls in the kernel's place, with an error or, 0, with success, and lets all others through. */
export function exceptions(list: readonly Exception[]): Instruction[] {
  const rules = list.flatMap(({ call, where, errno: code }) => when(call, where ? noneOf(where[0], [where[1]], code) : [answer(code)]));
  return [[LOAD, 0, 0, NUMBER], ...rules, ALLOWED];
}

/** The filter under which user code runs. */
export function userCode(arch: Architecture): Instruction[] {
  return [
    [LOAD, 0, 0, ARCH],
    [IF_EQUAL, 1, 0, AUDIT_ARCH[arch]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER],
    // Also the x32 calls of x86-64: they have bit 30 set.
    [IF_ABOVE, 0, 1, HIGHEST_KNOWN],
    answer(ENOSYS),
    // The C library falls back to clone, whose flags can be seen; those of clone3 are behind a pointer.
    ...when(SYSCALLS.clone3[arch], [answer(ENOSYS)]),
    ...Object.values(DENIED).flatMap((numbers) => when(numbers[arch], [answer(EPERM)])),
    ...Object.values(ABSENT).flatMap((numbers) => when(numbers[arch], [answer(ENOSYS)])),
    ...Object.values(IGNORED).flatMap((numbers) => when(numbers[arch], [answer(SUCCESS)])),
    ...when(SYSCALLS.clone[arch], noBitOf(0, CLONE_NAMESPACES, EPERM)),
    ...when(SYSCALLS.inotify_add_watch[arch], noBitOf(2, READING_EVENTS, EPERM)),
    ...when(SYSCALLS.fcntl[arch], noneOf(1, FILE_COMMANDS, EPERM)),
    ...when(SYSCALLS.prlimit64[arch], oneOf(0, [ITSELF], EPERM)),
    ...when(SYSCALLS.socketpair[arch], oneOf(0, [AF_UNIX], EAFNOSUPPORT)),
    ...when(SYSCALLS.socket[arch], socketRules()),
    ALLOWED,
  ];
}

/** Only the families, types and protocols that functions need: no raw and no packet sockets, nothing that makes the kernel load a module. */
function socketRules(): Instruction[] {
  return [
    [LOAD, 0, 0, argument(0)],
    // Harmless in a network namespace of one's own without capabilities; glibc lists interfaces through it.
    ...when(AF_NETLINK, oneOf(2, [NETLINK_ROUTE], EPROTONOSUPPORT)),
    [IF_EQUAL, 3, 0, AF_UNIX],
    [IF_EQUAL, 2, 0, AF_INET],
    [IF_EQUAL, 1, 0, AF_INET6],
    answer(EAFNOSUPPORT),
    [LOAD, 0, 0, argument(1)],
    [AND, 0, 0, SOCK_TYPE_MASK],
    [IF_EQUAL, 3, 0, SOCK_STREAM],
    [IF_EQUAL, 2, 0, SOCK_DGRAM],
    [IF_EQUAL, 1, 0, SOCK_SEQPACKET],
    answer(EPERM),
    [LOAD, 0, 0, argument(0)],
    ...when(AF_UNIX, [ALLOWED]),
    ...oneOf(2, INTERNET_PROTOCOLS, EPROTONOSUPPORT),
  ];
}

const ALLOWED: Instruction = [RETURN, 0, 0, ALLOW];
const answer = (code: number): Instruction => [RETURN, 0, 0, errno(code)];

/** `rules`, each way through which ends in an answer, where the accumulator is `value`. NONE: there is no such call. */
function when(value: number, rules: readonly Instruction[]): readonly Instruction[] {
  return value < 0 ? [] : [[IF_EQUAL, 0, rules.length, value], ...rules];
}

function oneOf(i: number, values: readonly number[], code: number): readonly Instruction[] {
  return [...select(i, values), answer(code), ALLOWED];
}

function noneOf(i: number, values: readonly number[], code: number): readonly Instruction[] {
  return [...select(i, values), ALLOWED, answer(code)];
}

/** Goes on with the second instruction behind it where argument `i` is one of `values`, with the first where it isn't. */
function select(i: number, values: readonly number[]): readonly Instruction[] {
  return [[LOAD, 0, 0, argument(i)], ...values.map((value, at): Instruction => [IF_EQUAL, values.length - at, 0, value])];
}

function noBitOf(i: number, bits: number, code: number): readonly Instruction[] {
  return [[LOAD, 0, 0, argument(i)], [IF_ANY_BIT, 0, 1, bits], answer(code), ALLOWED];
}

/** A program as the kernel takes it (struct sock_fprog), to be installed any number of times. */
export type Filter = ReturnType<typeof pinned>;

export function assemble(program: readonly Instruction[]): Filter {
  const { buffer, address } = pinned(16 + program.length * 8);
  buffer.writeUInt16LE(program.length, 0);
  buffer.writeBigUInt64LE(address + 16n, 8);
  buffer.set(encode(program), 16);
  return { buffer, address };
}

/** The instructions alone (struct sock_filter). */
export function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([op, jumpTrue, jumpFalse, constant], i) => {
    const at = i * 8;
    bytes.writeUInt16LE(op, at);
    bytes[at + 2] = jumpTrue;
    bytes[at + 3] = jumpFalse;
    bytes.writeUInt32LE(constant >>> 0, at + 4);
  });
  return bytes;
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
