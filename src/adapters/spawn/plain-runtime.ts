/** What this driver must know of a runtime. It lies in the runtime's folder, `runtimes/NAME/description.ts`, as `plain`. */
export type PlainRuntime = {
  /**
   * What runs a function; `files` is the directory with the runtime's files. It gets the code's directory, the handler and the concurrency as
   * further arguments, the function's environment, and as descriptor 3 the channel to the host.
   */
  program(files: string, memoryMiB: number): { readonly file: string; readonly arguments: readonly string[] };
  /** What it may use beyond the function's memory. */
  readonly ownMemoryMiB: number;
  /** Whether a line of the process's output means that it ends for want of memory. */
  saysOutOfMemory(line: string): boolean;
};
