/** What every process of a function may take at most, beside what its function's settings say (setrlimit(2)). */
const RLIMIT_CORE = 4;
export const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;
const RLIMIT_SIGPENDING = 11;
const RLIMIT_MSGQUEUE = 12;

/** As Lambda has it. */
const FILES = 1024;
/** That wait for a process, and timers of the kernel: both are counted together, by user. */
const SIGNALS = 256;

export const FIXED_LIMITS: readonly (readonly [resource: number, most: number])[] = [
  [RLIMIT_NOFILE, FILES],
  [RLIMIT_CORE, 0],
  [RLIMIT_MSGQUEUE, 0],
  [RLIMIT_SIGPENDING, SIGNALS],
];
