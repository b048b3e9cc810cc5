/** A function that is an executable of its own: finding it, and what is wrong with one that can't be run. */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';

/** Where Lambda looks for it, in this order. */
export const PROGRAMS = ['/var/task/bootstrap', '/opt/bootstrap'] as const;

/** As it is told to who invokes the function. */
export type ProgramError = { readonly errorType: string; readonly errorMessage: string };

export const invalid = (errorMessage: string): ProgramError => ({ errorType: 'Runtime.InvalidEntrypoint', errorMessage });

/** The path of the function's program, or what is wrong with it as far as that can be seen without running it. */
export function findProgram(candidates: readonly string[] = PROGRAMS): string | ProgramError {
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path === undefined) return invalid(`Couldn't find valid bootstrap(s): [${candidates.join(' ')}]`);
  return check(path, '. Set its mode to 755 before it is zipped');
}

/** The path of what a container image starts with: by its own path or, without a slash in it, by its name in the directories of `search`. */
export function findCommand(name: string | undefined, search = ''): string | ProgramError {
  if (name === undefined || name === '') return invalid('the image says not what to start: it has neither an entry point nor a command');
  if (!name.includes('/')) {
    const found = search.split(':').map((directory) => `${directory || '.'}/${name}`);
    const path = found.find((candidate) => typeof check(candidate, '') === 'string');
    return path ?? invalid(`exec: "${name}": executable file not found in $PATH, which is ${search}`);
  }
  return existsSync(name) ? check(name, '') : invalid(`fork/exec ${name}: no such file or directory`);
}

function check(path: string, advice: string): string | ProgramError {
  try {
    if (!statSync(path).isFile()) return invalid(`fork/exec ${path}: it is not a file`);
    accessSync(path, constants.X_OK);
  } catch {
    return invalid(`fork/exec ${path}: permission denied: it is not executable${advice}`);
  }
  return path;
}

/** e_machine of those that functions are built for (elf(5)). */
const MACHINES: Readonly<Record<number, string>> = { 3: 'x86', 40: 'arm', 62: 'x86_64', 183: 'arm64', 243: 'riscv64' };
const MACHINE = { x64: 62, arm64: 183 } as const;
const HEAD_BYTES = 256;

export function formatHint(path: string): string {
  const head = headOf(path);
  if (head.toString('latin1', 0, 2) === '#!') return '';
  if (head.length < 20 || head.readUInt32BE(0) !== 0x7f454c46)
    return ': it is neither a program of this machine nor a script that begins with #! and the path of an interpreter';
  const machine = head.readUInt16LE(18);
  if (machine === MACHINE[process.arch as keyof typeof MACHINE]) return '';
  return `: it was built for ${MACHINES[machine] ?? `machine ${machine}`}, and this machine is ${MACHINES[MACHINE[process.arch as keyof typeof MACHINE]]}`;
}

export function interpreterHint(path: string): string {
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
