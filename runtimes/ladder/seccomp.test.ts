import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forkableHeap } from '../node/forkable.ts';
import { userCode } from './seccomp.ts';
import type { Instruction } from './seccomp.ts';
import { ABSENT, AUDIT_ARCH, DENIED, HIGHEST_KNOWN, IGNORED, SYSCALLS } from './syscalls.ts';
import type { Architecture } from './syscalls.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const refused = (errno: number) => 0x00050000 | errno;
const EPERM = refused(1);
const ENOSYS = refused(38);
const EPROTONOSUPPORT = refused(93);
const EAFNOSUPPORT = refused(97);

type Call = { readonly number: number; readonly arch?: number; readonly args?: readonly number[] };

/** Runs a classic BPF program over a system call as the kernel does: linux/seccomp.h struct seccomp_data. */
function decide(program: readonly Instruction[], arch: Architecture, call: Call): number {
  const word = (offset: number): number => {
    if (offset === 0) return call.number >>> 0;
    if (offset === 4) return call.arch ?? AUDIT_ARCH[arch];
    return (offset - 16) % 8 === 0 ? (call.args?.[(offset - 16) / 8] ?? 0) >>> 0 : 0;
  };
  let accumulator = 0;
  for (let at = 0; at < program.length; at++) {
    const [op, jumpTrue, jumpFalse, constant] = program[at]!;
    const jump = (holds: boolean) => void (at += holds ? jumpTrue : jumpFalse);
    if (op === 0x20) accumulator = word(constant);
    else if (op === 0x15) jump(accumulator === constant);
    else if (op === 0x25) jump(accumulator > constant);
    else if (op === 0x45) jump((accumulator & constant) >>> 0 !== 0);
    else if (op === 0x54) accumulator = (accumulator & constant) >>> 0;
    else if (op === 0x06) return constant >>> 0;
    else assert.fail(`unknown instruction ${op}`);
  }
  return assert.fail('the program ran off its end');
}

for (const arch of ['x64', 'arm64'] as const) {
  const filter = userCode(arch);
  const answer = (call: Call) => decide(filter, arch, call);

  test(`${arch}: every denied call is refused`, () => {
    for (const [name, numbers] of Object.entries(DENIED))
      if (numbers[arch] >= 0) assert.equal(answer({ number: numbers[arch] }), EPERM, name);
    for (const [name, numbers] of Object.entries(ABSENT)) assert.equal(answer({ number: numbers[arch] }), ENOSYS, name);
    for (const [name, numbers] of Object.entries(IGNORED)) assert.equal(answer({ number: numbers[arch] }), refused(0), name);
  });

  test(`${arch}: ordinary calls pass`, () => {
    const denied = new Set<number>(Object.values({ ...DENIED, ...ABSENT, ...IGNORED }).map((numbers) => numbers[arch]));
    const { clone, clone3, socket, socketpair } = SYSCALLS;
    const special = new Set<number>([clone, clone3, socket, socketpair].map((numbers) => numbers[arch]));
    for (let number = 0; number <= HIGHEST_KNOWN; number++) {
      if (!denied.has(number) && !special.has(number)) assert.equal(answer({ number }), ALLOW, `call ${number}`);
    }
  });

  test(`${arch}: a call of another architecture ends the process`, () => {
    const other = arch === 'x64' ? AUDIT_ARCH.arm64 : AUDIT_ARCH.x64;
    assert.equal(answer({ number: 0, arch: other }), KILL);
    assert.equal(answer({ number: 0, arch: 0x40000003 }), KILL);
  });

  test(`${arch}: calls that are newer than the table, and those of x32, are not there`, () => {
    for (const number of [HIGHEST_KNOWN + 1, 0x40000000, 0xffffffff]) assert.equal(answer({ number }), ENOSYS);
    assert.equal(answer({ number: SYSCALLS.clone3[arch] }), ENOSYS);
  });

  test(`${arch}: clone makes threads and processes, but no namespace`, () => {
    const number = SYSCALLS.clone[arch];
    const threads = 0x003d0f00;
    assert.equal(answer({ number, args: [threads] }), ALLOW);
    assert.equal(answer({ number, args: [17] }), ALLOW);
    for (const flag of [0x80, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]) {
      assert.equal(answer({ number, args: [flag | 17] }), EPERM, `flag ${flag.toString(16)}`);
    }
  });

  test(`${arch}: sockets of the usual families, none raw`, () => {
    const number = SYSCALLS.socket[arch];
    const [stream, datagram, raw, sequence, packet, cloexec] = [1, 2, 3, 5, 10, 0o2000000];
    for (const family of [1, 2, 10]) {
      for (const type of [stream, datagram, sequence]) assert.equal(answer({ number, args: [family, type | cloexec] }), ALLOW);
      for (const type of [raw, packet]) assert.equal(answer({ number, args: [family, type | cloexec] }), EPERM);
    }
    assert.equal(answer({ number, args: [16, raw | cloexec] }), ALLOW);
    // AF_PACKET, AF_ALG, AF_VSOCK, AF_BLUETOOTH
    for (const family of [17, 38, 40, 31]) assert.equal(answer({ number, args: [family, raw] }), EAFNOSUPPORT);
    const pair = SYSCALLS.socketpair[arch];
    assert.equal(answer({ number: pair, args: [1, stream | cloexec] }), ALLOW);
    // AF_INET, AF_TIPC
    for (const family of [2, 30]) assert.equal(answer({ number: pair, args: [family, stream] }), EAFNOSUPPORT);
  });

  test(`${arch}: sockets of the usual protocols, none for which the kernel would load a module`, () => {
    const number = SYSCALLS.socket[arch];
    for (const family of [2, 10]) {
      for (const [type, protocol] of [
        [1, 6],
        [2, 17],
        [2, 1],
        [2, 58],
      ]) {
        assert.equal(answer({ number, args: [family, type!, protocol!] }), ALLOW);
      }
      // DCCP, SCTP, UDP-Lite, MPTCP
      for (const protocol of [33, 132, 136, 262]) assert.equal(answer({ number, args: [family, 1, protocol] }), EPROTONOSUPPORT);
    }
    // Netlink: of sockets, of the firewall, of devices that come and go, generic
    for (const protocol of [4, 12, 15, 16]) assert.equal(answer({ number, args: [16, 3, protocol] }), EPROTONOSUPPORT);
  });

  test(`${arch}: files may be watched for changes, not for who reads them, and nobody is made to wait for a file`, () => {
    const watch = SYSCALLS.inotify_add_watch[arch];
    // What libuv asks for: IN_ATTRIB, IN_CREATE, IN_MODIFY, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO.
    assert.equal(answer({ number: watch, args: [3, 0, 0xfc6] }), ALLOW);
    for (const reading of [0x01, 0x10, 0x20, 0xfff]) assert.equal(answer({ number: watch, args: [3, 0, reading] }), EPERM);
    const number = SYSCALLS.fcntl[arch];
    // F_GETFL, F_SETFL, F_SETLK, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_OFD_SETLK
    for (const command of [3, 4, 6, 1030, 1031, 37]) assert.equal(answer({ number, args: [1, command] }), ALLOW);
    // F_SETLEASE, F_NOTIFY, F_SETDELEG
    for (const command of [1024, 1026, 1040]) assert.equal(answer({ number, args: [1, command] }), EPERM);
  });

  test(`${arch}: a process asks for and sets its own limits only`, () => {
    const number = SYSCALLS.prlimit64[arch];
    assert.equal(answer({ number, args: [0, 7] }), ALLOW);
    for (const pid of [1, 2, 4711]) assert.equal(answer({ number, args: [pid, 7] }), EPERM);
  });

  test(`${arch}: the zygote's filter swallows MADV_DONTFORK, knows no io_uring, and leaves the rest alone`, () => {
    const heap = forkableHeap(arch);
    const number = SYSCALLS.madvise[arch];
    assert.equal(decide(heap, arch, { number, args: [0, 0, 10] }), refused(0));
    assert.equal(decide(heap, arch, { number, args: [0, 0, 4] }), ALLOW);
    assert.equal(decide(heap, arch, { number: number + 1, args: [0, 0, 10] }), ALLOW);
    assert.equal(decide(heap, arch, { number: SYSCALLS.io_uring_setup[arch] }), ENOSYS);
  });
}
