/** Children and directories of a run: whatever is started here is ended here, also when a row fails or the run is interrupted. */
import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const children = new Set<ChildProcess>();
const directories = new Set<string>();

export function startChild(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Asks the child to end, and makes it end after `graceMs`. Resolves when it has. */
export async function stopChild(child: ChildProcess, graceMs = 20_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await gone;
  clearTimeout(force);
}

/** The first line of `stream` that `read` makes something of. Rejects when the child ends before, or after `limitMs`. */
export function firstLine<T>(
  child: ChildProcess,
  what: string,
  read: (line: string) => T | undefined,
  fd = 1,
  limitMs = 30_000,
): Promise<T> {
  const stream = child.stdio[fd];
  if (!stream || !('read' in stream)) throw new Error(`${what} was started without a pipe to read from`);
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stream });
    const late = setTimeout(() => settle(() => reject(new Error(`${what} was not ready after ${limitMs} ms`))), limitMs);
    const ended = () => settle(() => reject(new Error(`${what} ended before it was ready`)));
    const settle = (then: () => void) => {
      clearTimeout(late);
      child.off('exit', ended);
      then();
    };
    child.once('error', (error) => settle(() => reject(new Error(`${what} cannot be started: ${error.message}`, { cause: error }))));
    child.once('exit', ended);
    lines.on('line', (line) => {
      const value = read(line);
      if (value !== undefined) settle(() => resolve(value));
    });
  });
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
  directories.add(directory);
  return directory;
}

export async function removeDirectory(directory: string): Promise<void> {
  directories.delete(directory);
  await rm(directory, { recursive: true, force: true });
}

/** For the exit of the run, where nothing can be awaited any more. */
export function endEverything(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}
