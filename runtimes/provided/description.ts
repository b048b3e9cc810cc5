/** What the host must know of custom runtimes: an executable of the function's own that asks for its events by the Lambda Runtime API. */
import { join } from 'node:path';
import { findProgram, formatHint, invalid } from './find.ts';
import type { ProgramError } from './find.ts';

type PlainSpec = { readonly codeDirectory: string; readonly layerDirectories: readonly string[] };

export const provided = {
  name: 'provided',

  /** Beside those that all functions have. */
  environment: (_identifier: string): Readonly<Record<string, string>> => ({}),

  /** A function as a plain process, without a sandbox. */
  plain: {
    /** Where there is no /opt: of two layers the later one covers the other. */
    program: (_files: string, { codeDirectory, layerDirectories }: PlainSpec): { file: string; arguments: string[] } | ProgramError => {
      const path = findProgram([codeDirectory, ...layerDirectories.toReversed()].map((directory) => join(directory, 'bootstrap')));
      if (typeof path !== 'string') return path;
      // Told before it is tried: Node says of a failure only that there was one.
      const hint = formatHint(path);
      return hint === '' ? { file: path, arguments: [] } : invalid(`fork/exec ${path}: exec format error${hint}`);
    },

    ownMemoryMiB: 0,

    /** Nobody knows what it says. */
    saysOutOfMemory: (): boolean => false,
  },
} as const;
