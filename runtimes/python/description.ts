/** What the host must know of this runtime. Read by the host alone: nothing of it runs in a sandbox. */
import { join } from 'node:path';
import { policy } from '../ladder/policy.ts';
import type { Interpreter } from './interpreter.ts';

/** Nothing of the user who runs the host: not its packages, not its settings. What is written is for the runtime to say. */
const FLAGS = ['-s', '-X', 'utf8'];
/** Where the runtime says when Python looks for installed packages. */
const OWN_FLAGS = ['-S', ...FLAGS];
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };
/** Where Lambda has it. */
export const INSIDE = '/var/lang/bin';

export const python = {
  name: 'python',

  carries: [],

  /** Beside those that all functions have. `identifier`: as in the Lambda API, `python3.12`. */
  environment: (identifier: string): Readonly<Record<string, string>> => ({
    PYTHONPATH: `/opt/python/lib/${identifier}/site-packages:/opt/python`,
  }),
} as const;

/** The runtime on an interpreter of this machine. */
export const pythonOn = ({ file, version, directories }: Interpreter) => ({
  ...python,

  /** Python has no limit for its heap: the kernel's are all there are. */
  memoryClassesMiB: [128] as const,

  /** Threads reserve stacks, and extensions arenas, that they don't use. */
  reservedMiB: 4_096,

  zygote: (files: string) => ({
    file,
    arguments: [...OWN_FLAGS, join(files, 'start.py'), 'zygote'],
    environment: ENVIRONMENT,
    told: policy(),
  }),

  saysOutOfMemory: (output: string): boolean => /MemoryError|std::bad_alloc/.test(output),

  guest: {
    shown: directories,
    links: Object.fromEntries(['python', 'python3', `python${version}`].map((name) => [`${INSIDE}/${name}`, file])),
  },
});

/** What a function's wrapper is given to execute. Its last argument is the runtime: those of Python can be added before it. */
export const wrappedPython = (program: string, files: string): readonly string[] => [program, ...FLAGS, join(files, 'start.py')];

type PlainSpec = { readonly codeDirectory: string; readonly handler: string; readonly concurrency: number };

/** A function as a plain process, without a sandbox. */
export const plainOn = ({ file }: Interpreter) => ({
  program: (files: string, { codeDirectory, handler, concurrency }: PlainSpec) => ({
    file,
    arguments: [...OWN_FLAGS, join(files, 'start.py'), 'spawn', codeDirectory, handler, String(concurrency)],
  }),

  wrapped: (files: string) => wrappedPython(file, files),

  ownMemoryMiB: 32,

  /** Only the kernel ends a Python for want of memory: an exception is told to the caller as such. */
  saysOutOfMemory: (line: string): boolean => line === 'MemoryError',
});
