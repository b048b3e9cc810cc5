/** System call numbers, from the kernel's tables for x86-64 (arch/x86/entry/syscalls/syscall_64.tbl) and arm64 (asm-generic/unistd.h). */
type Numbers = { readonly x64: number; readonly arm64: number };

const both = (x64: number, arm64: number): Numbers => ({ x64, arm64 });
const same = (number: number): Numbers => both(number, number);
/** The call does not exist there. */
const NONE = -1;

export const SYSCALLS = {
  madvise: both(28, 233),
  fcntl: both(72, 25),
  inotify_add_watch: both(254, 27),
  prlimit64: both(302, 261),
  socket: both(41, 198),
  socketpair: both(53, 199),
  clone: both(56, 220),
  clone3: same(435),
  capset: both(126, 91),
  sched_setscheduler: both(144, 119),
  pivot_root: both(155, 41),
  seccomp: both(317, 277),
  io_uring_setup: same(425),
  pidfd_open: same(434),
  close_range: same(436),
  landlock_create_ruleset: same(444),
  landlock_restrict_self: same(446),
} as const satisfies Record<string, Numbers>;

/** Calls that no function has a use for and that reach into the kernel's or a neighbour's affairs. They answer EPERM. */
export const DENIED = {
  ptrace: both(101, 117),
  process_vm_readv: both(310, 270),
  process_vm_writev: both(311, 271),
  process_madvise: same(440),
  process_mrelease: same(448),
  pidfd_getfd: same(438),
  kcmp: both(312, 272),
  mount: both(165, 40),
  umount2: both(166, 39),
  pivot_root: both(155, 41),
  chroot: both(161, 51),
  open_tree: same(428),
  open_tree_attr: same(467),
  move_mount: same(429),
  fsopen: same(430),
  fsconfig: same(431),
  fsmount: same(432),
  fspick: same(433),
  mount_setattr: same(442),
  unshare: both(272, 97),
  bpf: both(321, 280),
  perf_event_open: both(298, 241),
  add_key: both(248, 217),
  request_key: both(249, 218),
  keyctl: both(250, 219),
  userfaultfd: both(323, 282),
  io_uring_setup: same(425),
  io_uring_enter: same(426),
  io_uring_register: same(427),
  kexec_load: both(246, 104),
  kexec_file_load: both(320, 294),
  init_module: both(175, 105),
  finit_module: both(313, 273),
  delete_module: both(176, 106),
  create_module: both(174, NONE),
  query_module: both(178, NONE),
  get_kernel_syms: both(177, NONE),
  reboot: both(169, 142),
  swapon: both(167, 224),
  swapoff: both(168, 225),
  syslog: both(103, 116),
  acct: both(163, 89),
  settimeofday: both(164, 170),
  clock_settime: both(227, 112),
  adjtimex: both(159, 171),
  clock_adjtime: both(305, 266),
  iopl: both(172, NONE),
  ioperm: both(173, NONE),
  modify_ldt: both(154, NONE),
  quotactl: both(179, 60),
  quotactl_fd: same(443),
  lookup_dcookie: both(212, 18),
  nfsservctl: both(180, 42),
  name_to_handle_at: both(303, 264),
  open_by_handle_at: both(304, 265),
  fanotify_init: both(300, 262),
  fanotify_mark: both(301, 263),
  vhangup: both(153, 58),
  sethostname: both(170, 161),
  setdomainname: both(171, 162),
  personality: both(135, 92),
  set_mempolicy: both(238, 237),
  mbind: both(237, 235),
  migrate_pages: both(256, 238),
  move_pages: both(279, 239),
  memfd_secret: same(447),
  uselib: both(134, NONE),
  ustat: both(136, NONE),
  sysfs: both(139, NONE),
  _sysctl: both(156, NONE),
} as const satisfies Record<string, Numbers>;

/** Calls that are not there for functions (ENOSYS): what they make outlives the instance that made it, or tells of others. */
export const ABSENT = {
  shmget: both(29, 194),
  semget: both(64, 190),
  msgget: both(68, 186),
  cachestat: same(451),
  listns: same(470),
} as const satisfies Record<string, Numbers>;

/** Calls that succeed and do nothing: they would write all of the machine's files to its disks, and a function has none there. */
export const IGNORED = {
  sync: both(162, 81),
  syncfs: both(306, 267),
} as const satisfies Record<string, Numbers>;

/** The highest call known when this table was made; what comes later is not there for a function (ENOSYS). */
export const HIGHEST_KNOWN = 470;

/** AUDIT_ARCH_* of linux/audit.h: what a seccomp filter sees as the architecture of a call. */
export const AUDIT_ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

export type Architecture = 'x64' | 'arm64';

export function architecture(): Architecture {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch;
  throw new Error(`the fork ladder is not made for ${process.arch}`);
}
