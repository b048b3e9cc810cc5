/**
 * Starts a program of Node's under a filter that keeps V8's heap in forked children: `node launch.js HEAP_MIB PROGRAM [ARG...]`.
 * The filter is installed in this short-lived process and survives execve.
 */
import { getRawPointer } from 'node:ffi';
import { libc } from './libc.ts';
import { forkableHeap, install } from './seccomp.ts';
import { architecture } from './syscalls.ts';

const [, , heapMiB, ...program] = process.argv;

install(forkableHeap(architecture()));
// What the host left open for others ends here: everything above the command socket closes at execve.
const CLOSE_RANGE_CLOEXEC = 4;
libc.close_range(4, 0x7fffffff, CLOSE_RANGE_CLOEXEC);
const F_SETFD = 2;
for (const fd of [0, 1, 2, 3]) libc.fcntl(fd, F_SETFD, 0); // Node marks its stdio close-on-exec

const argv = [
  process.execPath,
  // All of V8's work on the main thread: a forked child has no other.
  '--single-threaded',
  // The limit is fixed when a process starts; without one a single-threaded heap grows towards the machine's memory.
  `--max-old-space-size=${heapMiB}`,
  // Functions that a child would compile are compiled here, once, and stay; zygote.ts turns laziness on again for user code.
  '--no-lazy',
  '--no-flush-bytecode',
  '--expose-gc',
  '--no-warnings',
  '--disable-sigusr1',
  ...program,
];
const strings = argv.map((text) => Buffer.from(`${text}\0`));
const vector = Buffer.alloc(Math.max(4096, (argv.length + 1) * 8));
strings.forEach((text, i) => vector.writeBigUInt64LE(getRawPointer(text), i * 8));
libc.execv(process.execPath, vector);
throw new Error('execv failed');
