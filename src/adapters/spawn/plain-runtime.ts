import type { SandboxSpec } from '../../ports/mod.ts';

/** What this driver must know of a runtime. It lies in the runtime's folder, `runtimes/NAME/description.ts`, as `plain`. */
export type PlainRuntime = {
  /**
   * What runs a function; `files` is the directory with the runtime's files. It gets the function's environment and, unless it finds its
   * events otherwise, as descriptor 3 the channel to the host. An error: what the function brought can't be run.
   */
  program(files: string, spec: PlainSpec): { readonly file: string; readonly arguments: readonly string[] } | PlainError;
  /** The command line that a function's wrapper is given, of the runtime that `program` starts; absent: there are no wrappers for it. */
  wrapped?(files: string, spec: PlainSpec): readonly string[];
  /** What it may use beyond the function's memory. */
  readonly ownMemoryMiB: number;
  /** Whether a line of the process's output means that it ends for want of memory. */
  saysOutOfMemory(line: string): boolean;
};

export type PlainSpec = Pick<SandboxSpec, 'codeDirectory' | 'layerDirectories' | 'handler' | 'concurrency' | 'memoryMiB'>;
export type PlainError = { readonly errorType: string; readonly errorMessage: string };
