/** Runs a WebAssembly command on this machine, as a function of the platform would run, with the directories and variables that it is given here. */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { HearthError, LIMITS } from '../kernel/mod.ts';
import { LoadError, runCommand } from '../../runtimes/wasm/mod.ts';
import type { RunOptions } from '../../runtimes/wasm/mod.ts';
import type { Context } from './context.ts';

export type WasmRunOptions = {
  readonly dir: readonly string[];
  readonly readDir: readonly string[];
  readonly env: readonly string[];
  readonly memory: string;
};

const MiB = 1024 * 1024;

/** Returns the module's exit code. */
export async function wasmRun({ out }: Context, file: string, options: WasmRunOptions, words: readonly string[]): Promise<number> {
  const run: RunOptions = {
    bytes: await readModule(file),
    file: basename(file),
    arguments: words,
    environment: options.env.map(checkVariable),
    directories: [...options.dir.map((text) => directoryOf(text, true)), ...options.readDir.map((text) => directoryOf(text, false))],
    memoryBytes: memoryOf(options.memory) * MiB,
  };
  try {
    const { code, failure } = runCommand(run);
    if (failure) out.note(failure.stack ?? failure.message);
    return code;
  } catch (error) {
    if (error instanceof LoadError) throw new HearthError('BadUsage', error.message, { cause: error });
    throw error;
  }
}

async function readModule(file: string): Promise<Uint8Array> {
  const bytes = read(file);
  if (!file.endsWith('.wat')) return bytes;
  const { convertWat } = await import('../main/mod.ts');
  return convertWat(bytes);
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new HearthError('BadUsage', `the module ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
  }
}

function checkVariable(text: string): string {
  if (/^[^=\0]+=[^\0]*$/.test(text)) return text;
  throw new HearthError('BadUsage', `--env ${JSON.stringify(text)} is no variable: write NAME=VALUE`);
}

function directoryOf(text: string, writable: boolean): RunOptions['directories'][number] {
  const [host = '', guest = host, ...more] = text.split('::');
  if (host === '' || guest === '' || more.length > 0)
    throw new HearthError('BadUsage', `${JSON.stringify(text)} is no directory to give: write HOST or HOST::GUEST`);
  if (statSync(host, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new HearthError('BadUsage', `${host} is no directory that could be given to the module`);
  return { host, guest, writable };
}

function memoryOf(text: string): number {
  const memoryMiB = Number(text);
  if (/^\d+$/.test(text) && memoryMiB >= 1 && memoryMiB <= LIMITS.memoryMiB.max) return memoryMiB;
  throw new HearthError('BadUsage', `--memory is a whole number of MiB from 1 to ${LIMITS.memoryMiB.max}, and not ${JSON.stringify(text)}`);
}
