/** The walls of a sandbox: namespaces, its own root, no capabilities. namespaces(7), user_namespaces(7), mount_namespaces(7), capabilities(7). */
import { constants, existsSync, lstatSync, mkdirSync, openSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { check, libc, pinned, pinnedText } from './libc.ts';
import { makeReadOnly, MS_BIND, MS_RDONLY } from './read-only.ts';
import { architecture, SYSCALLS } from './syscalls.ts';

/** Whom a sandbox's processes run as. `privileged`: they begin as root and have yet to become that user. */
export type User = { readonly privileged: boolean; readonly uid: number; readonly gid: number };

const CLONE_NEWNS = 0x00020000;
const CLONE_NEWUTS = 0x04000000;
const CLONE_NEWIPC = 0x08000000;
const CLONE_NEWUSER = 0x10000000;
const CLONE_NEWPID = 0x20000000;
const CLONE_NEWNET = 0x40000000;

export const MS_NOSUID = 2n;
export const MS_NODEV = 4n;
const MS_NOEXEC = 8n;
const MS_REC = 16384n;
const MS_PRIVATE = 262144n;
const MNT_DETACH = 2;
const { O_DIRECTORY } = constants;

const PR_SET_DUMPABLE = 4;
const PR_CAPBSET_DROP = 24;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

const TASK = '/var/task';
const OPT = '/opt';

/**
 * Leaves every namespace of the host but the user's, where the caller is root, and that too where it is not; the network's only if it is to
 * have one of its own. The pid namespace begins with the next child.
 */
export function leaveNamespaces(user: User, ownNetwork: boolean): void {
  const flags = ownNamespaces(ownNetwork);
  if (user.privileged) check(libc.unshare(flags), 'unshare');
  else {
    enterUserNamespace(user, flags);
    limitNotifications();
  }
}

const ownNamespaces = (ownNetwork: boolean): number =>
  CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | (ownNetwork ? CLONE_NEWNET : 0);

/** What a process of the host must enter to be inside: what `leaveNamespaces` has made. */
export const namespacesOf = (user: User, ownNetwork: boolean): number => ownNamespaces(ownNetwork) | (user.privileged ? 0 : CLONE_NEWUSER);

/** An ordinary user has 128 instances of inotify for all that it runs: one function must not have them all. user_namespaces(7). */
function limitNotifications(): void {
  writeFileSync('/proc/sys/user/max_inotify_instances', '32');
  writeFileSync('/proc/sys/user/max_inotify_watches', '8192');
}

/** A new user namespace that maps just this user, to itself. The caller has all capabilities in it. */
export function enterUserNamespace(user: { readonly uid: number; readonly gid: number }, flags: number = CLONE_NEWNS): void {
  // /proc/self/uid_map belongs to root while the process is not dumpable, as it is after a change of user.
  check(libc.prctl(PR_SET_DUMPABLE, 1n, 0n, 0n, 0n), 'prctl PR_SET_DUMPABLE');
  check(libc.unshare(CLONE_NEWUSER | flags), 'unshare with a user namespace');
  writeFileSync('/proc/self/setgroups', 'deny');
  writeFileSync('/proc/self/uid_map', `${user.uid} ${user.uid} 1`);
  writeFileSync('/proc/self/gid_map', `${user.gid} ${user.gid} 1`);
}

export function newMountNamespace(): void {
  check(libc.unshare(CLONE_NEWNS), 'unshare of the mount namespace');
}

/** Enters a namespace by its descriptor, whatever its kind. */
export function enter(namespace: number): void {
  check(libc.setns(namespace, 0), 'setns');
}

const newRoot = pinnedText('.');
const oldRoot = pinnedText('.old');

export type Root = {
  /** An empty directory to build it on. */
  readonly root: string;
  /** The host's packages. */
  readonly packages: string;
  readonly user: { readonly uid: number; readonly gid: number };
  readonly ownNetwork: boolean;
  /** Puts in what the runtime has need of, while its directories are there and can be written to. */
  readonly furnish: (root: string) => void;
};

/**
 * Builds the root and moves into it. `/.packages` shows the host's packages until `showFunction` hides them. Returns a descriptor of a /proc with
 * all processes of the sandbox, which is for the keeper: in the other one each sees what it could trace.
 */
export function buildRoot({ root, packages, user, ownNetwork, furnish }: Root): number {
  check(libc.mount('none', '/', 'none', MS_REC | MS_PRIVATE, ''), 'make mounts private');
  check(libc.mount('tmpfs', root, 'tmpfs', MS_NOSUID | MS_NODEV, 'size=1m,nr_inodes=512,mode=755'), 'mount the root');
  const inside = (path: string) => `${root}${path}`;
  const directories = [
    '/usr',
    '/etc',
    '/dev',
    '/proc',
    '/sys',
    '/run',
    '/tmp',
    '/var',
    '/var/task',
    '/var/lang',
    '/var/lang/bin',
    '/var/runtime',
    '/opt',
  ];
  for (const path of [...directories, '/.packages', '/.old', '/.tmp']) mkdirSync(inside(path), 0o755);
  bindReadOnly('/usr', inside('/usr'));
  for (const path of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) sameAsHost(path, inside(path));
  buildEtc(inside, user, ownNetwork);
  buildDev(inside('/dev'));
  furnish(root);
  check(libc.mount(packages, inside('/.packages'), 'none', MS_BIND, ''), 'bind the packages');
  process.chdir(root);
  check(libc.syscall(BigInt(SYSCALLS.pivot_root[architecture()]), newRoot.address, oldRoot.address, 0n), 'pivot_root');
  process.chdir('/');
  // The host's proc must still be in sight: a user namespace may mount its own only where that is so.
  mountProc('');
  const everybody = openSync('/proc', O_DIRECTORY);
  mountProc('hidepid=ptraceable');
  check(libc.umount2('/.old', MNT_DETACH), "leave the host's root");
  return everybody;
}

function mountProc(options: string): void {
  check(libc.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, options), 'mount proc');
}

export function bindReadOnly(source: string, target: string): void {
  check(libc.mount(source, target, 'none', MS_BIND | MS_REC, ''), `bind ${source}`);
  makeReadOnly(target, MS_NOSUID | MS_NODEV, source);
}

/** A link where the host has one (merged /usr), else a read-only view of the directory. */
function sameAsHost(path: string, target: string): void {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (!status) return;
  if (status.isSymbolicLink()) return symlinkSync(readlinkSync(path), target);
  mkdirSync(target, 0o755);
  bindReadOnly(path, target);
}

const ETC_SHOWN = [
  '/etc/ssl/certs',
  '/etc/pki',
  '/etc/alternatives',
  '/etc/fonts',
  '/etc/ld.so.cache',
  '/etc/localtime',
  '/etc/mime.types',
];

/** Where names of a sandbox with a network of its own lead. */
export const LOOPBACK_HOSTS = '127.0.0.1 localhost\n::1 localhost\n';

function buildEtc(inside: (path: string) => string, user: { readonly uid: number; readonly gid: number }, ownNetwork: boolean): void {
  const write = (name: string, text: string) => writeFileSync(inside(`/etc/${name}`), text, { mode: 0o444 });
  write('passwd', `root:x:0:0:root:/:/sbin/nologin\nsandbox:x:${user.uid}:${user.gid}:sandbox:/tmp:/sbin/nologin\n`);
  write('group', `root:x:0:\nsandbox:x:${user.gid}:\n`);
  const ofHost = (name: string) => (existsSync(`/etc/${name}`) ? readFileSync(`/etc/${name}`, 'utf8') : '');
  write('hosts', ownNetwork ? LOOPBACK_HOSTS : ofHost('hosts'));
  write('nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  write('resolv.conf', ownNetwork ? '' : ofHost('resolv.conf'));
  for (const path of ETC_SHOWN) {
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (!status || !existsSync(path)) continue;
    if (status.isSymbolicLink()) symlinkSync(readlinkSync(path), inside(path));
    else if (status.isDirectory()) mkdirSync(inside(path), { recursive: true, mode: 0o755 });
    else writeFileSync(inside(path), '');
    if (!status.isSymbolicLink()) bindReadOnly(path, inside(path));
  }
}

function buildDev(dev: string): void {
  check(libc.mount('tmpfs', dev, 'tmpfs', MS_NOSUID | MS_NOEXEC, 'size=64k,nr_inodes=32,mode=755'), 'mount dev');
  for (const name of ['null', 'zero', 'full', 'random', 'urandom']) {
    writeFileSync(`${dev}/${name}`, '');
    check(libc.mount(`/dev/${name}`, `${dev}/${name}`, 'none', MS_BIND, ''), `bind /dev/${name}`);
    // The device is written to as ever; its times on the host, which others see, are not changed.
    makeReadOnly(`${dev}/${name}`, MS_NOSUID | MS_NOEXEC, `/dev/${name}`);
  }
  symlinkSync('/tmp', `${dev}/shm`);
  symlinkSync('/proc/self/fd', `${dev}/fd`);
  ['stdin', 'stdout', 'stderr'].forEach((name, fd) => symlinkSync(`/proc/self/fd/${fd}`, `${dev}/${name}`));
  makeReadOnly(dev, MS_NOSUID | MS_NOEXEC, 'dev');
}

/** Another mount becomes the root of everybody in this mount namespace, and what was the root till now is in sight no more. */
export function leaveRoot(next: string): void {
  process.chdir(next);
  // The old root comes to lie on the new one, so that no directory has to be there for it: pivot_root(2).
  check(libc.syscall(BigInt(SYSCALLS.pivot_root[architecture()]), newRoot.address, newRoot.address, 0n), 'pivot_root to an image');
  check(libc.umount2('.', MNT_DETACH), 'leave the root');
  process.chdir('/');
}

/** Shows the function's code and layers and nothing else of the packages, and a /tmp. After this the root is read-only. */
export function showFunction(spec: {
  readonly code: string;
  readonly layers: readonly string[];
  readonly tmpMiB: number;
  readonly uid: number;
  readonly gid: number;
}): void {
  bindReadOnly(`/.packages/${spec.code}`, TASK);
  const layers = spec.layers.map((layer) => `/.packages/${layer}`);
  if (layers.length === 1) bindReadOnly(layers[0]!, OPT);
  // The later layer covers the earlier: overlayfs names the uppermost first.
  if (layers.length > 1)
    check(
      libc.mount('overlay', OPT, 'overlay', MS_RDONLY | MS_NOSUID | MS_NODEV, `lowerdir=${layers.toReversed().join(':')}`),
      'merge the layers',
    );
  check(libc.umount2('/.packages', MNT_DETACH), 'hide the packages');
  mountTmp('/tmp', spec);
  makeReadOnly('/', MS_NOSUID | MS_NODEV, 'the root');
}

/** A temporary file system of the configured size, the sandbox's own user's only. */
export function mountTmp(target: string, options: { readonly tmpMiB: number; readonly uid: number; readonly gid: number }): void {
  const inodes = options.tmpMiB * 256;
  const data = `size=${options.tmpMiB}m,nr_inodes=${inodes},mode=700,uid=${options.uid},gid=${options.gid}`;
  check(libc.mount('tmpfs', target, 'tmpfs', MS_NOSUID | MS_NODEV, data), 'mount tmp');
}

export function moveMount(source: string, target: string): void {
  const MS_MOVE = 8192n;
  check(libc.mount(source, target, 'none', MS_MOVE, ''), 'move a mount');
}

/** Becomes the sandbox's user, for good. */
export function becomeUser(user: User): void {
  if (!user.privileged) return;
  check(libc.setgroups(0n, null), 'setgroups');
  check(libc.setresgid(user.gid, user.gid, user.gid), 'setresgid');
  check(libc.setresuid(user.uid, user.uid, user.uid), 'setresuid');
}

/** Gives up the right ever to have a capability again, also for all that descends from this process. While capabilities are still there. */
export function emptyBoundingSet(): void {
  for (let capability = 0n; libc.prctl(PR_CAPBSET_DROP, capability, 0n, 0n, 0n) === 0; capability++);
}

const noCapabilities = pinned(64);
noCapabilities.buffer.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
const noCapabilitySets = noCapabilities.address + 16n;
const CAPSET = BigInt(SYSCALLS.capset[architecture()]);

/** Calls nothing that user code could have replaced: after entering a user namespace that would run with the capabilities still there. */
export function dropCapabilities(): void {
  check(libc.syscall(CAPSET, noCapabilities.address, noCapabilitySets, 0n), 'capset');
}

const SET_SCHEDULER = BigInt(SYSCALLS.sched_setscheduler[architecture()]);
const THIS_PROCESS = 0n;
const SCHED_BATCH = 3n;
const noPriority = pinned(4);

/**
 * On processors that are all at work a function waits for its turn, rather than to push the host aside with every event that it is sent: the
 * host goes on with what else has arrived, and both change places less often. Where a processor is free nothing changes.
 */
export function waitYourTurn(): void {
  void libc.syscall(SET_SCHEDULER, THIS_PROCESS, SCHED_BATCH, noPriority.address);
}

/** Others of the same user can't look into this process. */
export function undumpable(): void {
  check(libc.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n), 'prctl PR_SET_DUMPABLE');
}
