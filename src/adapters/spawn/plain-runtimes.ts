/** Which plain runtime a function gets, by its runtime's name in the Lambda API. */
import { HearthError, SUPPORTED_RUNTIMES, runtimeFamily } from '../../kernel/mod.ts';
import { node } from '../../../runtimes/node/description.ts';
import { provided } from '../../../runtimes/provided/description.ts';
import { plainOn, python } from '../../../runtimes/python/description.ts';
import { findInterpreter } from '../../../runtimes/python/interpreter.ts';
import { materialiseRuntime } from '../link/mod.ts';
import type { RuntimeFolders } from '../link/mod.ts';
import type { PlainRuntime } from './plain-runtime.ts';

/** `files`: the directory with the runtime's files. */
export type Installed = { readonly runtime: PlainRuntime; readonly files: string };

export class PlainRuntimes {
  /** For the runtimes' files. */
  readonly #directory: string;
  readonly #known = new Map<string, Installed>();
  readonly #installing = new Set<Promise<Installed>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Before the first function of this runtime. Throws HearthError `SandboxFailed` where this machine can't run it. */
  async prepare(identifier: string): Promise<void> {
    if (this.#known.has(identifier)) return;
    const installing = this.#install(identifier);
    this.#installing.add(installing);
    try {
      this.#known.set(identifier, await installing);
    } finally {
      this.#installing.delete(installing);
    }
  }

  /** Settles when nothing is being written any more: the directory may be somebody else's after that. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#installing);
  }

  get(identifier: string): Installed {
    return this.#known.get(identifier)!;
  }

  async #install(identifier: string): Promise<Installed> {
    switch (runtimeFamily(identifier)) {
      case 'node':
      case 'wasm':
        return { runtime: node.plain, files: await this.#files(node) };
      case 'provided':
        // The function brings all that there is.
        return { runtime: provided.plain, files: '' };
      case 'python': {
        const interpreter = await findInterpreter(identifier);
        if (typeof interpreter === 'string') throw new HearthError('SandboxFailed', interpreter);
        return { runtime: plainOn(interpreter), files: await this.#files(python) };
      }
      case undefined:
        throw new HearthError('SandboxFailed', `the runtime ${identifier} cannot run here: ${SUPPORTED_RUNTIMES.join(', ')} can`);
    }
  }

  #files(runtime: RuntimeFolders): Promise<string> {
    return materialiseRuntime({ runtime, directory: this.#directory });
  }
}
