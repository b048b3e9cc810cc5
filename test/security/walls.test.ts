/** From inside a function: attempts to reach what is not its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { closeAfter } from '../closing.ts';
import { SCOPES_SINCE, landlockVersion } from '../../runtimes/ladder/landlock.ts';
import { DENIED, SYSCALLS, architecture } from '../../runtimes/ladder/syscalls.ts';
import { footprint } from '../e2e/footprint.ts';
import { allRefused, besiege, isProgram, source } from './siege.ts';
import type { Results, Siege } from './siege.ts';

const INTRUDER = source('intruder.mjs');
const NUMBERS = {
  x64: {
    setns: 308,
    mknodat: 259,
    setrlimit: 302,
    epollControl: 233,
    pidfdSignal: 424,
    setuid: 105,
    setpriority: 141,
    scheduler: 144,
    prctl: 157,
  },
  arm64: {
    setns: 268,
    mknodat: 33,
    setrlimit: 261,
    epollControl: 21,
    pidfdSignal: 424,
    setuid: 146,
    setpriority: 140,
    scheduler: 119,
    prctl: 167,
  },
};

besiege('the walls of a sandbox', 'intruder.mjs', besiegeWalls, ['nodejs24.x', 'provided.al2023', 'image']);

async function besiegeWalls({ t, isolated, runtime, ask, attack }: Siege): Promise<void> {
  const { platform } = isolated;
  await isolated.create('victim', `const secret = 'the victim\\'s own'; export const handler = async () => secret;`);
  await isolated.invoke('victim');
  const arch = architecture();
  const numbers = NUMBERS[arch];

  await attack("the host's files can't be read", async () => {
    const paths = [import.meta.filename, join(platform.data, 'store.db'), join(platform.data, 'sealing.key'), platform.data, '/etc/shadow'];
    const ways = ['', '/.old', '/proc/self/root', '/proc/self/cwd/../../..', '/proc/1/root', '/proc/2/root', '/proc/thread-self/root/.old'];
    allRefused(await ask<Results>('open', { flags: 'r', paths: ways.flatMap((way) => paths.map((path) => way + path)) }));
    allRefused(await ask<Results>('list', { paths: ['/root', '/home', '/boot', '/srv', '/mnt', platform.data] }), /^(refused: |got $)/);
  });

  await attack("other functions' code can't be read", async () => {
    const { packages } = footprint(platform);
    const hashes = packages.filter((name) => /^[0-9a-f]{64}$/.test(name));
    // An attacker in an image has no package.
    assert.ok(hashes.length >= (runtime === 'image' ? 2 : 3));
    const places = [
      '/.packages',
      '/.packages/images',
      '/.cover',
      '/.image',
      '/var',
      '/var/task/..',
      join(platform.data, 'code'),
      '/opt',
      '/.old',
    ];
    allRefused(await ask<Results>('open', { flags: 'r', paths: places.flatMap((place) => hashes.map((hash) => join(place, hash))) }));
    // Not even the places where they were shown are there in an image.
    const nothing = runtime === 'image' ? 'refused: ENOENT' : 'got ';
    assert.deepEqual(await ask('list', { paths: ['/.packages', '/.old', '/.tmp'] }), {
      '/.packages': nothing,
      '/.old': nothing,
      '/.tmp': nothing,
    });
  });

  await attack('keeper, template and siblings show nothing in /proc', async () => {
    const { pid, parent } = await ask<{ pid: number; parent: number }>('about');
    // A program has taken its template's place: its parent is the keeper.
    assert.ok(pid > parent && (isProgram(runtime) ? parent === 1 : parent > 1));
    const secret = [
      'environ',
      'mem',
      'maps',
      'auxv',
      'io',
      'stack',
      'syscall',
      'personality',
      'pagemap',
      'fd',
      'fdinfo',
      'cwd/x',
      'root/etc',
      'exe',
    ];
    const names = [...secret, ...['mnt', 'pid', 'net', 'user', 'ipc', 'uts'].map((kind) => `ns/${kind}`)];
    const paths = [1, parent].flatMap((process) => names.map((name) => `/proc/${process}/${name}`));
    allRefused(await ask<Results>('open', { flags: 'r', paths }));
    allRefused(
      await ask<Results>('open', {
        flags: 'r+',
        paths: [1, parent].flatMap((id) => [`/proc/${id}/mem`, `/proc/${id}/oom_score_adj`, `/proc/${id}/clear_refs`]),
      }),
    );
  });

  await attack('what is not its /tmp is read-only', async () => {
    const files = [
      '/var/task/index.mjs',
      '/var/task/new',
      '/opt/new',
      '/usr/new',
      '/usr/bin/env',
      '/etc/passwd',
      '/etc/new',
      '/new',
      '/dev/new',
      '/run/new',
      '/var/new',
      '/sys/new',
      '/var/lang/bin/node',
      '/var/runtime/new',
    ];
    allRefused(await ask<Results>('write', { paths: files }));
  });

  await attack("the kernel's settings can't be changed", async () => {
    const settings = [
      'kernel/hostname',
      'kernel/core_pattern',
      'kernel/modprobe',
      'kernel/pid_max',
      'kernel/ns_last_pid',
      'vm/overcommit_memory',
      'vm/drop_caches',
      'net/ipv4/ip_forward',
      'fs/binfmt_misc/register',
      'user/max_user_namespaces',
    ];
    allRefused(await ask<Results>('write', { paths: settings.map((name) => `/proc/sys/${name}`) }));
    const others = [
      '/proc/sysrq-trigger',
      '/proc/self/uid_map',
      '/proc/self/gid_map',
      '/proc/self/setgroups',
      '/proc/1/cgroup',
      '/proc/kcore',
      '/proc/kmem',
      '/sys/fs/cgroup/cgroup.procs',
      '/proc/self/loginuid',
    ];
    allRefused(await ask<Results>('write', { paths: others }));
  });

  await attack('there are no devices', async () => {
    const devices = [
      'mem',
      'kmem',
      'kmsg',
      'port',
      'kvm',
      'fuse',
      'net/tun',
      'vda',
      'sda',
      'loop-control',
      'ptmx',
      'tty',
      'console',
      'vsock',
      'vhost-net',
      'hwrng',
      'snapshot',
    ];
    allRefused(await ask<Results>('open', { flags: 'r', paths: [...devices.map((name) => `/dev/${name}`), '/proc/kmsg', '/proc/kcore'] }));
    assert.equal(await ask('mknod', { number: numbers.mknodat }), 'refused: EPERM');
  });

  await attack('every denied system call is denied, by number as well', async () => {
    const calls = Object.fromEntries(
      Object.entries(DENIED)
        .filter(([, number]) => number[arch] >= 0)
        .map(([name, number]) => [name, [number[arch], 0, 0, 0, 0]]),
    );
    for (const name of [
      'ptrace',
      'process_vm_readv',
      'mount',
      'unshare',
      'bpf',
      'perf_event_open',
      'keyctl',
      'userfaultfd',
      'io_uring_setup',
      'open_by_handle_at',
    ])
      assert.ok(name in calls, name);
    allRefused(await ask<Results>('calls', { numbers: calls }), /^refused: EPERM$/);
  });

  await attack('no namespace is made or entered', async () => {
    const flags = {
      time: 0x80,
      mount: 0x20000,
      cgroup: 0x2000000,
      uts: 0x4000000,
      ipc: 0x8000000,
      user: 0x10000000,
      pid: 0x20000000,
      net: 0x40000000,
    };
    const clones = Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, [SYSCALLS.clone[arch], flag | 17, 0, 0, 0, 0]]));
    allRefused(await ask<Results>('calls', { numbers: clones }), /^refused: EPERM$/);
    const others = { clone3: [SYSCALLS.clone3[arch], 0, 0], x32: [0x40000000 + 39], unknown: [100_000] };
    allRefused(await ask<Results>('calls', { numbers: others }), /^refused: ENOSYS$/);
    allRefused(await ask<Results>('setns', { number: numbers.setns }), /^refused: E(PERM|INVAL)$/);
  });

  await attack('there are no raw, packet, vsock or crypto sockets', async () => {
    const socket = SYSCALLS.socket[arch];
    const sockets = {
      raw: [socket, 2, 3, 1],
      raw6: [socket, 10, 3, 58],
      packet: [socket, 17, 3, 0],
      oldPacket: [socket, 2, 10, 0],
      vsock: [socket, 40, 1, 0],
      crypto: [socket, 38, 5, 0],
      bluetooth: [socket, 31, 3, 0],
      can: [socket, 29, 3, 1],
      xdp: [socket, 44, 3, 0],
    };
    allRefused(await ask<Results>('calls', { numbers: sockets }), /^refused: E(PERM|AFNOSUPPORT)$/);
  });

  await attack('it becomes no other user, and set-uid programs are ordinary ones', async () => {
    const found = await ask<{ setuid: string; setgid: string; setgroups: string; programs: string[]; own: string; mount: number | null }>(
      'setuid',
    );
    allRefused({ setuid: found.setuid, setgid: found.setgid, setgroups: found.setgroups });
    for (const program of found.programs) assert.match(program, / false$/);
    assert.doesNotMatch(found.own, / 0$/);
    assert.notEqual(found.mount, 0);
    const calls = {
      setuid: [numbers.setuid, 0],
      priority: [numbers.setpriority, 0, 0, -10],
      realtime: [numbers.scheduler, 0, 1, 0],
      ambient: [numbers.prctl, 47, 2, 21, 0, 0],
      newPrivileges: [numbers.prctl, 38, 0, 0, 0, 0],
    };
    allRefused(await ask<Results>('calls', { numbers: calls }));
    allRefused(await ask<Results>('limits', { number: numbers.setrlimit }), /^refused: EPERM$/);
  });

  await attack('it has no capability, and no code of its init ever had one', async () => {
    assert.match((await ask<{ now: string }>('rights')).now, /^0+,0+$/);
    // Only in a template there was something before the function that had some.
    if (isProgram(runtime)) return;
    await isolated.create('watcher', INTRUDER, { Environment: { Variables: { WATCH: 'yes' } }, Timeout: 20 });
    const { value } = await isolated.invoke('watcher', { attempt: 'rights' });
    const { now, seen } = value as { now: string; seen: string[] };
    assert.match(now, /^0+,0+$/);
    assert.ok(seen.length > 0, 'the watchers were called');
    for (const line of seen) assert.match(line, /: 0+,0+$/);
  });

  await attack("the host's loopback, addresses, sockets and names are out of reach", async () => {
    const server = createServer((socket) => socket.end('reached')).listen(`\0hearth-walls-${process.pid}`);
    closeAfter(t, () => server.close());
    await once(server, 'listening');
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address.split('%')[0]));
    const port = Number(new URL(platform.url).port);
    const targets = [
      ...['127.0.0.1', '::1', ...addresses].map((host) => ({ host, port })),
      { path: `\0hearth-walls-${process.pid}` },
      { path: '/run/docker.sock' },
      { host: '169.254.169.254', port: 80 },
    ];
    allRefused(await ask<Results>('connect', { targets }));
    assert.match(await ask('resolve', { name: 'example.com' }), /^refused: /);
  });

  await attack('it sees only what is in its sandbox', async () => {
    const { processes, root, shared, status, environment } = await ask<{
      processes: string[];
      root: string[];
      shared: string[];
      status: string;
      environment: string[];
    }>('about');
    assert.ok(processes.length <= 4, processes.join());
    assert.ok(!root.includes('root') && !root.includes('home') && !root.includes('boot'));
    assert.deepEqual(shared, [], 'memory shared with other processes');
    assert.match(status, /^NoNewPrivs:\t1\nSeccomp:\t2$/m);
    assert.ok(!environment.some((name) => name.startsWith('HEARTH')));
  });

  await attack('nothing that it inherits is shared with another function', async () => {
    // A program inherits nothing: test/conformance/custom-runtimes.test.ts.
    if (isProgram(runtime)) return;
    await isolated.create('listener', INTRUDER, { Timeout: 20, MemorySize: 256 });
    const left = await ask<string[]>('inherited', { leave: true, epollControl: numbers.epollControl });
    const { value } = await isolated.invoke('listener', { attempt: 'inherited', leave: false });
    assert.deepEqual(
      (value as string[]).filter((found) => !found.startsWith('got pipe:') || left.includes(found)),
      [],
    );
  });

  await attack('pid 1 minds no signal', async () => {
    for (const signal of ['SIGKILL', 'SIGSTOP', 'SIGTERM', 'SIGSEGV', 'SIGCHLD', 'SIGUSR1']) await ask('signal', { pid: 1, signal });
  });

  await attack('nobody ends its own template; where the kernel can not prevent it, there is another', async () => {
    if (isProgram(runtime)) return;
    const { parent } = await ask<{ parent: number }>('about');
    const { value } = await isolated.invoke('intruder', { attempt: 'signal', pid: parent, signal: 'SIGKILL' });
    if (landlockVersion >= SCOPES_SINCE) assert.equal(value, 'refused: EPERM');
  });

  await attack('whoever signals everybody reaches its own sandbox only', async () => {
    const { error } = await isolated.invoke('intruder', { attempt: 'signal', pid: -1, signal: 'SIGKILL' });
    assert.ok(error === undefined || error.errorType === 'Runtime.ExitError', JSON.stringify(error));
  });
}
