/** A function that is an executable of its own: finding it, and becoming it (execve(2)). */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { lastErrno, libc, pinned } from '../ladder/libc.ts';
import { architecture, SYSCALLS } from '../ladder/syscalls.ts';

/** Where Lambda looks for it, in this order. */
export const PROGRAMS = ['/var/task/bootstrap', '/opt/bootstrap'] as const;

/** As it is told to who invokes the function. */
export type ProgramError = { readonly errorType: string; readonly errorMessage: string };

const invalid = (errorMessage: string): ProgramError => ({ errorType: 'Runtime.InvalidEntrypoint', errorMessage });

/** The path of the function's program, or what is wrong with it as far as that can be seen without running it. */
export function findProgram(candidates: readonly string[] = PROGRAMS): string | ProgramError {
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path === undefined) return invalid(`Couldn't find valid bootstrap(s): [${candidates.join(' ')}]`);
  if (!statSync(path).isFile()) return invalid(`fork/exec ${path}: it is not a file`);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return invalid(`fork/exec ${path}: permission denied: it is not executable. Set its mode to 755 before it is zipped`);
  }
  return path;
}

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
  /** Beside the path, which comes first. */
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

/** In the C library's form: addresses in one piece of memory, good for as long as somebody has `buffer`. */
type Encoded = { readonly buffer: Buffer; readonly path: bigint; readonly argv: bigint; readonly envp: bigint };

function encode({ path, arguments: more = [], environment }: Program): Encoded {
  const argv = [path, ...more];
  const envp = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const pointers = argv.length + 1 + envp.length + 1;
  const bytes = [...argv, ...envp].reduce((sum, text) => sum + Buffer.byteLength(text) + 1, pointers * 8);
  const { buffer, address } = pinned(bytes);
  let at = pointers * 8;
  let slot = 0;
  for (const list of [argv, envp]) {
    for (const text of list) {
      buffer.writeBigUInt64LE(address + BigInt(at), slot++ * 8);
      at += buffer.write(text, at) + 1;
    }
    slot++;
  }
  return { buffer, path: buffer.readBigUInt64LE(0), argv: address, envp: address + BigInt((argv.length + 1) * 8) };
}

function explain(path: string, errno: number): ProgramError {
  if (errno === ENOEXEC) return invalid(`fork/exec ${path}: exec format error${formatHint(path)}`);
  if (errno === ENOENT) return invalid(`fork/exec ${path}: no such file or directory${interpreterHint(path)}`);
  if (errno === EACCES) return invalid(`fork/exec ${path}: permission denied${interpreterHint(path)}`);
  return invalid(`fork/exec ${path}: errno ${errno}`);
}

/** e_machine of those that functions are built for (elf(5)). */
const MACHINES: Readonly<Record<number, string>> = { 3: 'x86', 40: 'arm', 62: 'x86_64', 183: 'arm64', 243: 'riscv64' };
const MACHINE = { x64: 62, arm64: 183 } as const;
const HEAD_BYTES = 256;

function formatHint(path: string): string {
  const head = headOf(path);
  if (head.length < 20 || head.readUInt32BE(0) !== 0x7f454c46)
    return ': it is neither a program of this machine nor a script that begins with #! and the path of an interpreter';
  const machine = head.readUInt16LE(18);
  if (machine === MACHINE[architecture()]) return '';
  return `: it was built for ${MACHINES[machine] ?? `machine ${machine}`}, and this machine is ${MACHINES[MACHINE[architecture()]]}`;
}

function interpreterHint(path: string): string {
  const line = headOf(path).toString('latin1').split('\n')[0]!;
  if (!line.startsWith('#!')) return ': the loader that it was linked for is not there; link it statically, or against glibc';
  const carriage = line.endsWith('\r') ? ', and its first line ends with a carriage return' : '';
  return `: its interpreter is ${JSON.stringify(line.slice(2).trim())}${carriage}`;
}

function headOf(path: string): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const fd = openSync(path, 'r');
  try {
    return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}
