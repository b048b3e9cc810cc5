/** What the host must know of this runtime. Read by the host alone: nothing of it runs in a sandbox. */
import { join } from 'node:path';
import { reservingLibrary } from './reserve.ts';

const FLAGS = [
  // All of V8's work on the main thread: a forked child has no other. Its heap then needs a limit, or it grows towards the machine's memory.
  '--single-threaded',
  // Node starts threads for V8 all the same. Each leaves its stack and its arena to every child, as mappings and page tables.
  '--v8-pool-size=1',
  // What is compiled before a fork stays compiled in all children.
  '--no-flush-bytecode',
  // V8 also collects garbage when nothing has happened for a while, 100 s after the last time. Forks remember that time of their template: all that
  // wait then would begin at once, each on pages that they share.
  '--no-memory-reducer',
  '--expose-gc',
  '--no-warnings',
  '--disable-sigusr1',
];

/** libuv's io_uring would be inherited, and its system calls are denied to user code. */
const ENVIRONMENT = { UV_USE_IO_URING: '0' };

/** What of a function's memory the old space of V8's heap may take. */
const HEAP_SHARE = 0.75;
/** And each half of what its new objects may take, of which there are up to three: as Lambda's runtime has it. V8 itself would take up to 32 MiB, however small the function. */
const NEW_HALF_SHARE = 0.05;
const MOST_NEW_HALF_MIB = 32;

/** The shares of the memory are those that Lambda's runtime gives V8's generations. */
const heapFlags = (memoryMiB: number): readonly string[] => [
  `--max-old-space-size=${Math.floor(memoryMiB * 0.9)}`,
  `--max-semi-space-size=${Math.max(1, Math.floor(memoryMiB * NEW_HALF_SHARE))}`,
];

type PlainSpec = { readonly memoryMiB: number; readonly codeDirectory: string; readonly handler: string; readonly concurrency: number };

export const node = {
  name: 'node',

  /** Other runtimes' folders, whose code it loads. */
  carries: ['provided', 'wasm'],

  /** Beside those that all functions have. `identifier`: as in the Lambda API, `nodejs26.x`. */
  environment: (identifier: string): Readonly<Record<string, string>> => {
    const major = /^nodejs(\d+)/.exec(identifier)?.[1];
    return { NODE_PATH: [`/opt/nodejs/node${major}/node_modules`, '/opt/nodejs/node_modules', '/var/runtime/node_modules'].join(':') };
  },

  /** V8's heap limit is fixed when a process starts, for all that are forked from it. A factor of two apart, so that it is at most twice what fits. */
  memoryClassesMiB: [128, 256, 512, 1024, 2048, 4096, 10_240],

  /** V8, WebAssembly and the stacks of threads reserve more memory than they use. */
  reservedMiB: 4_096,

  zygote: (files: string, memoryClassMiB: number) => ({
    file: process.execPath,
    arguments: [
      ...FLAGS,
      `--max-old-space-size=${Math.floor(memoryClassMiB * HEAP_SHARE)}`,
      `--max-semi-space-size=${Math.min(MOST_NEW_HALF_MIB, Math.floor(memoryClassMiB * NEW_HALF_SHARE))}`,
      join(files, 'start.mjs'),
    ],
    environment: ENVIRONMENT,
    library: reservingLibrary(process.arch as 'x64' | 'arm64'),
  }),

  /** V8 says so before it aborts. */
  saysOutOfMemory: (output: string): boolean => /heap out of memory|Fatal process out of memory|std::bad_alloc/.test(output),

  /** What a function's wrapper is given to execute. */
  wrapped: (program: string, files: string, memoryMiB: number): readonly string[] => [
    program,
    ...heapFlags(memoryMiB),
    join(files, 'spawn-main.mjs'),
  ],

  /** A function as a plain process, without a sandbox. */
  plain: {
    program: (files: string, { memoryMiB, codeDirectory, handler, concurrency }: PlainSpec) => ({
      file: process.execPath,
      arguments: [...heapFlags(memoryMiB), join(files, 'spawn-main.mjs'), codeDirectory, handler, String(concurrency)],
    }),

    wrapped: (files: string, { memoryMiB }: { readonly memoryMiB: number }) => node.wrapped(process.execPath, files, memoryMiB),

    /** Lambda's smallest function has to pay for it as well; here it is on top. */
    ownMemoryMiB: 64,

    /** V8 writes it before it aborts at the heap's limit. Words that are nobody else's: the line may be the function's. */
    saysOutOfMemory: (line: string): boolean => line.includes('JavaScript heap out of memory'),
  },
} as const;
