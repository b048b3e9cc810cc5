/** From inside a function, with native code: what the kernel must not do for it, by whatever way it is asked. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DENIED, SYSCALLS, architecture } from '../../runtimes/ladder/syscalls.ts';
import { allRefused, besiege } from './siege.ts';
import type { Results } from './siege.ts';

const arch = architecture();
const own = <T extends Readonly<Record<string, readonly [x64: number, arm64: number]>>>(table: T): { readonly [name in keyof T]: number } =>
  Object.fromEntries(Object.entries(table).map(([name, [x64, arm64]]) => [name, arch === 'x64' ? x64 : arm64])) as never;
const of = (table: Readonly<Record<string, { readonly x64: number; readonly arm64: number }>>, name: string): number => table[name]![arch];

const NUMBERS = own({
  ioctl: [16, 29],
  pipe2: [293, 59],
  splice: [275, 76],
  vmsplice: [278, 75],
  prctl: [157, 167],
  memfd_create: [319, 279],
  setns: [308, 268],
  mq_open: [240, 180],
  mlock: [149, 228],
  ioprio_set: [251, 30],
  fcntl: [72, 25],
  inotify_init1: [294, 26],
  socketpair: [53, 199],
});

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SHARED = '/usr/bin/env';
const digest = () => createHash('sha256').update(readFileSync(SHARED)).digest('hex');

besiege(
  'what the kernel is asked for',
  'native.mjs',
  async ({ t, isolated, ask, attack }) => {
    const calls = (numbers: Readonly<Record<string, readonly (number | bigint)[]>>) => ask<Results>('calls', { numbers });

    await attack('the calls of 32-bit programs end the process', async () => {
      if (arch !== 'x64') return t.diagnostic('arm64 has no such way in that a 64-bit process could take');
      // mov eax, 20 (getpid); int 0x80; ret
      const { error } = await isolated.invoke('native', { attempt: 'machineCode', code: [0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3] });
      assert.equal(error?.errorType, 'Runtime.ExitError');
      assert.match(error.errorMessage, /signal: (bad system call|segmentation fault)/);
    });

    await attack('machine code of its own is filtered like the C library', async () => {
      if (arch !== 'x64') return;
      // mov eax, NUMBER; syscall; neg eax; ret: bsearch takes 0 for "found".
      const syscall = (number: number) => {
        const bytes = Buffer.from([0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xf7, 0xd8, 0xc3]);
        bytes.writeUInt32LE(number, 1);
        return [...bytes];
      };
      for (const name of ['mount', 'bpf', 'ptrace']) assert.equal(await ask('machineCode', { code: syscall(of(DENIED, name)) }), 'went on');
      // x32: bit 30.
      assert.equal(await ask('machineCode', { code: syscall(0x4000_0000 + of(DENIED, 'ptrace')) }), 'went on');
    });

    await attack('a filter of its own takes nothing away from the one that is there', async () => {
      const [installed, mount] = await ask<string[]>('ownFilter', { seccomp: of(SYSCALLS, 'seccomp'), mount: of(DENIED, 'mount') });
      assert.equal(installed, 'got 0');
      assert.equal(mount, 'refused: EPERM');
    });

    await attack('nobody sees who opens and reads the files that all share', async () => {
      const fd = Number((await calls({ fd: [NUMBERS.inotify_init1, 0] }))['fd']!.slice(4));
      const add = of(SYSCALLS, 'inotify_add_watch');
      const masks = { access: 1, open: 0x20, closed: 0x10, all: 0xfff };
      const numbers = Object.fromEntries(
        Object.entries(masks).map(([name, mask]) => [name, { path: '/usr/bin', call: [add, fd, 'path', mask] }]),
      );
      allRefused(await ask<Results>('paths', { numbers }), /^refused: EPERM$/);
      allRefused(await calls({ fanotify: [of(DENIED, 'fanotify_init'), 0, 0], notify: [NUMBERS.fcntl, 0, 1026, 1] }), /^refused: EPERM$/);
      assert.equal(await ask('watch'), 'mark');
    });

    await attack('nobody is made to wait for a file', async () => {
      allRefused(await calls({ lease: [NUMBERS.fcntl, 0, 1024, 1], delegation: [NUMBERS.fcntl, 0, 1040, 0] }), /^refused: EPERM$/);
    });

    await attack('no memory, semaphore or queue outlives its instance', async () => {
      const absent = { shm: [29, 194], sem: [64, 190], msg: [68, 186] } as const;
      const numbers = Object.fromEntries(Object.entries(own(absent)).map(([name, number]) => [name, [number, 0, 1, 0o1777]]));
      allRefused(await calls(numbers), /^refused: ENOSYS$/);
      allRefused(await ask<Results>('paths', { numbers: { mq: { path: 'queue', call: [NUMBERS.mq_open, 'path', 0o102, 0o777, 0] } } }));
    });

    await attack('sockets of other kinds are not there, and none makes the kernel load a module', async () => {
      const socket = of(SYSCALLS, 'socket');
      const protocols = { sctp: 132, dccp: 33, udpLite: 136, multipath: 262 };
      const internet = Object.entries(protocols).flatMap(([name, protocol]) => [
        [name, [socket, AF_INET, 1, protocol]],
        [`${name} 6`, [socket, AF_INET6, 1, protocol]],
      ]);
      const netlink = Object.entries({ sockets: 4, firewall: 12, events: 15, generic: 16, crypto: 21, audit: 9 });
      const others = netlink.map(([name, protocol]) => [name, [socket, AF_NETLINK, 3, protocol]]);
      const families = [17, 29, 30, 31, 38, 40, 41, 42, 43, 44].map((family) => [`family ${family}`, [socket, family, 2, 0]]);
      const pair = [['a pair of TIPC', [NUMBERS.socketpair, 30, 1, 0, 0]]];
      allRefused(
        await calls(Object.fromEntries([...internet, ...others, ...families, ...pair]) as never),
        /^refused: E(PROTO|AF)NOSUPPORT$/,
      );
    });

    await attack('there is no terminal to type into', async () => {
      const [TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSCTTY] = [0x5412, 0x541c, 0x541d, 0x540e];
      const tries = [0, 1, 2].flatMap((fd) =>
        [TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSCTTY].map((request) => [`${request} on ${fd}`, [NUMBERS.ioctl, fd, request, 0]] as const),
      );
      allRefused(await calls(Object.fromEntries(tries)));
      const paths = ['tty', 'tty0', 'tty1', 'ptmx', 'pts/0', 'console', 'vcs', 'userfaultfd', 'uinput', 'input/event0', 'rtc0', 'watchdog'];
      allRefused(await ask<Results>('open', { flags: 'r+', paths: paths.map((name) => `/dev/${name}`) }));
    });

    await attack('a file that all share stays as it is, whatever is done to its pages', async () => {
      const before = digest();
      await isolated.invoke('native', { attempt: 'mappedFile', prctl: NUMBERS.prctl });
      const [, beginning] = await ask<string[]>('splicedFile', { splice: NUMBERS.splice, vmsplice: NUMBERS.vmsplice, pipe: NUMBERS.pipe2 });
      assert.notEqual(beginning, 'changed');
      assert.equal(digest(), before);
      const shared = ['/usr/bin/env', '/usr/bin/sh', '/var/task/index.mjs', '/var/lang/bin/node', '/etc/passwd'];
      allRefused(await ask<Results>('open', { flags: 'r+', paths: shared }));
      allRefused(await ask<Results>('link', { paths: [...shared, '/proc/1/status'] }));
      for (const path of [...shared, '/dev/null', '/dev/zero', '/dev/random', '/var/task', '/'])
        assert.match(await ask<string>('touch', { path }), /Read-only file system|Permission denied|Operation not permitted/, path);
    });

    await attack('no namespace and no descriptor is taken from another process', async () => {
      const others = { pidfdOpen: of(SYSCALLS, 'pidfd_open'), setns: NUMBERS.setns, pidfdGetfd: of(DENIED, 'pidfd_getfd') };
      for (const pid of [1, 2]) allRefused(await ask<Results>('byDescriptor', { ...others, pid }), /^refused: E(PERM|INVAL)$/);
    });

    await attack('memory that is executed has no more rights than a file', async () => {
      const found = await ask<string>('memoryFile', { memfdCreate: NUMBERS.memfd_create });
      assert.doesNotMatch(found, / 0$/);
    });

    await attack('no right, priority or limit is gained by asking for it', async () => {
      const [PR_SET_SECUREBITS, PR_SET_MM, PR_CAPBSET_READ, PR_CAP_AMBIENT, PR_SET_IO_FLUSHER] = [28, 35, 23, 47, 57];
      const realtime = 1 << 13;
      allRefused(
        await calls({
          secureBits: [NUMBERS.prctl, PR_SET_SECUREBITS, 0x2f],
          memoryMap: [NUMBERS.prctl, PR_SET_MM, 1, 4096],
          ambient: [NUMBERS.prctl, PR_CAP_AMBIENT, 2, 21, 0, 0],
          flusher: [NUMBERS.prctl, PR_SET_IO_FLUSHER, 1],
          noSuchCapability: [NUMBERS.prctl, PR_CAPBSET_READ, 99],
          disk: [NUMBERS.ioprio_set, 1, 0, realtime],
          locked: [NUMBERS.mlock, 0x1000, 1 << 30],
        }),
      );
    });

    await attack('what the kernel tells about itself and the machine is no address and no secret', async () => {
      assert.deepEqual(await ask('addresses'), []);
      const files = ['kcore', 'kmsg', 'kpagecount', 'kpageflags', 'slabinfo', 'vmallocinfo', 'timer_list', 'pagetypeinfo', 'sysrq-trigger'];
      allRefused(await ask<Results>('open', { flags: 'r', paths: files.map((name) => `/proc/${name}`) }));
      allRefused(await ask<Results>('open', { flags: 'r', paths: ['/sys/kernel', '/sys/fs/cgroup', '/sys/firmware', '/sys/class'] }));
    });

    await attack("the disks of the machine are not written for a function's sake", async () => {
      const ignored = own({ sync: [162, 81], syncfs: [306, 267] });
      assert.deepEqual(await calls({ sync: [ignored.sync], syncfs: [ignored.syncfs, 0] }), { sync: 'got 0', syncfs: 'got 0' });
    });
  },
  ['nodejs24.x', 'provided.al2023', 'image'],
);
