/** A function that is an executable of its own: becoming it (execve(2)). */
import { lastErrno, libc, pinned } from '../ladder/libc.ts';
import { architecture, SYSCALLS } from '../ladder/syscalls.ts';
import { formatHint, interpreterHint, invalid } from './find.ts';
import type { ProgramError } from './find.ts';

const ENOENT = 2;
const ENOEXEC = 8;
const EACCES = 13;
const FIRST_FREE = 3n;
const ALL = 0xffff_ffffn;
const CLOSE_RANGE_CLOEXEC = 4n;
const SIG_SETMASK = 2;
const SIGNALS = 64;
const SIG_DFL = 0n;

export type Program = {
  readonly path: string;
  /** The first is what it is called; the path, unless given. */
  readonly arguments?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/**
 * This process becomes the program, with nothing of what it was but its standard descriptors, its walls and its limits. Returns only when that
 * could not be, and why.
 */
export function becomeProgram(program: Program, lastly: () => void): ProgramError {
  const { buffer, path, argv, envp } = encode(program);
  // What Node does with signals is not for others.
  libc.sigprocmask(SIG_SETMASK, Buffer.alloc(128), null);
  for (let signal = 1; signal <= SIGNALS; signal++) libc.signal(signal, SIG_DFL);
  void libc.syscall(BigInt(SYSCALLS.close_range[architecture()]), FIRST_FREE, ALL, CLOSE_RANGE_CLOEXEC);
  lastly();
  libc.execve(path, argv, envp);
  const errno = lastErrno();
  // Not needed any more only now.
  buffer.fill(0);
  return explain(program.path, errno);
}

/** Undefined: it is done. */
export function enterDirectory(path: string): ProgramError | undefined {
  try {
    process.chdir(path);
    return undefined;
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    return { errorType: 'Runtime.InvalidWorkingDir', errorMessage: `chdir ${path}: ${REASONS[code] ?? code}` };
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EACCES: 'permission denied',
};

/** In the C library's form: addresses in one piece of memory, good for as long as somebody has `buffer`. */
type Encoded = { readonly buffer: Buffer; readonly path: bigint; readonly argv: bigint; readonly envp: bigint };

function encode({ path, arguments: argv = [path], environment }: Program): Encoded {
  const envp = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const pointers = argv.length + 1 + envp.length + 1;
  const bytes = [path, ...argv, ...envp].reduce((sum, text) => sum + Buffer.byteLength(text) + 1, pointers * 8);
  const { buffer, address } = pinned(bytes);
  let at = pointers * 8;
  const pathAddress = address + BigInt(at);
  at += buffer.write(path, at) + 1;
  let slot = 0;
  for (const list of [argv, envp]) {
    for (const text of list) {
      buffer.writeBigUInt64LE(address + BigInt(at), slot++ * 8);
      at += buffer.write(text, at) + 1;
    }
    slot++;
  }
  return { buffer, path: pathAddress, argv: address, envp: address + BigInt((argv.length + 1) * 8) };
}

function explain(path: string, errno: number): ProgramError {
  if (errno === ENOEXEC) return invalid(`fork/exec ${path}: exec format error${formatHint(path)}`);
  if (errno === ENOENT) return invalid(`fork/exec ${path}: no such file or directory${interpreterHint(path)}`);
  if (errno === EACCES) return invalid(`fork/exec ${path}: permission denied${interpreterHint(path)}`);
  return invalid(`fork/exec ${path}: errno ${errno}`);
}
