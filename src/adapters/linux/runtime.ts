import { runtimeFamily } from '../../kernel/mod.ts';
import type { RuntimeFamily } from '../../kernel/mod.ts';
import type { Guest, Loader } from '../../../runtimes/ladder/orders.ts';

/** How the templates of each family come by their functions. */
const LOADERS: Readonly<Record<RuntimeFamily, Loader>> = { node: 'node', python: 'guest', provided: 'program', wasm: 'wasm' };

/** For a runtime by its name in the Lambda API. One that is not known there is Node's: sandboxes can be had without a function. */
export const loaderOf = (identifier: string): Loader => LOADERS[runtimeFamily(identifier) ?? 'node'];

/** What this driver must know of a runtime. It lies in the runtime's folder, `runtimes/NAME/description.ts`. */
export type Runtime = {
  /** Its folder. */
  readonly name: string;
  /** Other folders of runtimes that it loads code from. */
  readonly carries: readonly string[];
  /** Ascending. Each has a zygote of its own; a function gets the smallest that has room for its memory, or the last. */
  readonly memoryClassesMiB: readonly [number, ...number[]];
  /** What a process may have reserved beyond its function's memory, where control groups count what is in use. */
  readonly reservedMiB: number;
  /**
   * What runs as the zygote of a memory class; `files` is the directory with the runtime's files. As one more argument it gets the host's
   * pid, and as descriptor 3 the socket on which it takes orders (`ladder.ts`). What it writes to its standard error is logged.
   */
  zygote(files: string, memoryClassMiB: number): Program;
  /** Whether a process that ended by a signal of its own gave want of memory for the reason, in the last of what it wrote. */
  saysOutOfMemory(output: string): boolean;
  /** Present: its zygote makes no sandboxes, its templates enter those that Node's has made, and find this there. */
  readonly guest?: Guest;
};

export type Program = {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** A shared library that is mapped before all others. It is no harm where that can't be. */
  readonly library?: Buffer;
  /** What it is told before its first order. */
  readonly told?: unknown;
};
