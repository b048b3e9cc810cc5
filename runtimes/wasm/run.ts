/** Runs a command module as a program of this process: its standard streams are the process's, and it has what it is given here. */
import { randomFillSync } from 'node:crypto';
import { fstatSync, readSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { nap } from '../ladder/nap.ts';
import { Descriptors, filetypeOf, openPreopen, openStream } from './descriptors.ts';
import type { OpenStream, Preopen, Stream } from './descriptors.ts';
import { LoadError, describeFailure } from './errors.ts';
import type { ModuleError } from './errors.ts';
import { FILETYPE } from './layouts.ts';
import { GuestMemory } from './guest-memory.ts';
import { compile, Instance } from './module.ts';
import { cTexts, ModuleExit, ModuleSignal, preciseClock } from './world.ts';
import type { World } from './world.ts';

export type RunOptions = {
  readonly bytes: Uint8Array;
  /** Its first argument, and its name in messages. */
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment: readonly string[];
  readonly directories: readonly Preopen[];
  readonly memoryBytes: number;
};

/** `failure`: what the module stopped with, for people. */
export type RunOutcome = { readonly code: number; readonly failure?: ModuleError };

/** As of a process that is aborted by SIGABRT. */
const TRAPPED = 134;
const SIGNALLED = 128;
const ENTRY = '_start';

/** Throws LoadError. */
export function runCommand(options: RunOptions): RunOutcome {
  const compiled = compile(options.bytes, { file: options.file, memoryBytes: options.memoryBytes, ahead: false });
  const world: World = {
    memory: new GuestMemory(),
    descriptors: new Descriptors([0, 1, 2].map(standardStream)),
    arguments: cTexts([options.file, ...options.arguments]),
    environment: cTexts(options.environment),
    clock: preciseClock,
    random: (target) => void randomFillSync(target),
    refused: () => {},
  };
  const opened = options.directories.map((directory) => openPreopen(directory));
  for (const directory of opened) world.descriptors.add(directory);
  try {
    const { exports } = new Instance(compiled, world, () => {});
    const start = exports[ENTRY];
    if (typeof start !== 'function') throw new LoadError('HandlerNotFound', `${options.file} exports no ${ENTRY}: it is no command`);
    (start as () => void)();
    return { code: 0 };
  } catch (thrown) {
    if (thrown instanceof LoadError) throw thrown;
    if (thrown instanceof ModuleExit) return { code: thrown.code };
    const failure = describeFailure(thrown, compiled);
    const code = thrown instanceof ModuleSignal ? SIGNALLED + thrown.signal : TRAPPED;
    return failure ? { code, failure } : { code };
  } finally {
    world.descriptors.closeAll();
  }
}

function standardStream(host: number): OpenStream {
  let filetype: number = FILETYPE.unknown;
  try {
    filetype = filetypeOf(fstatSync(host, { bigint: true }));
    // C libraries take every character device that can't be sought for a terminal: what is none must not look like one.
    if (filetype === FILETYPE.characterDevice && !isatty(host)) filetype = FILETYPE.unknown;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error;
  }
  const stream: Stream =
    host === 0
      ? { host, read: (target) => patiently(() => readSync(host, target)) }
      : { host, write: (source) => patiently(() => writeSync(host, source)) };
  return openStream(stream, filetype);
}

/** Somebody else may have made the descriptor one that does not block. */
function patiently(act: () => number): number {
  for (;;) {
    try {
      return act();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' && code !== 'EINTR') throw error;
      nap(1);
    }
  }
}
