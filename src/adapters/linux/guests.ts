/** Runtimes whose zygotes make no sandboxes of their own: one zygote for each interpreter that functions need, on first need. */
import { join } from 'node:path';
import { HearthError, runtimeFamily } from '../../kernel/mod.ts';
import type { Clock, Log } from '../../kernel/mod.ts';
import { findInterpreter } from '../../../runtimes/python/interpreter.ts';
import { pythonOn } from '../../../runtimes/python/description.ts';
import { materialiseRuntime } from '../link/mod.ts';
import type { Blank } from './blanks.ts';
import { MemoryClasses } from './memory-classes.ts';
import type { Zygote } from './zygote.ts';

export type GuestsOptions<T extends Blank> = {
  /** For the runtime's files. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** A sandbox whose template is that zygote's. */
  readonly make: (zygote: Zygote) => T;
};

export class Guests<T extends Blank> {
  readonly #options: GuestsOptions<T>;
  /** By runtime as in the Lambda API, and by interpreter: several of the one may share one of the other. */
  readonly #known = new Map<string, Promise<MemoryClasses<T>>>();
  readonly #interpreters = new Map<string, MemoryClasses<T>>();
  #closed = false;

  constructor(options: GuestsOptions<T>) {
    this.#options = options;
  }

  /**
   * Undefined: a function of this runtime gets a template of the zygote that makes its sandbox. Throws HearthError `SandboxFailed` when the
   * machine has no interpreter, or it does not start.
   */
  async of(identifier: string): Promise<MemoryClasses<T> | undefined> {
    if (runtimeFamily(identifier) !== 'python') return undefined;
    const classes = await this.#interpreterOf(identifier);
    await classes.zygoteFor(0).ready();
    return classes;
  }

  #interpreterOf(identifier: string): Promise<MemoryClasses<T>> {
    let known = this.#known.get(identifier);
    if (!known) {
      known = this.#find(identifier);
      this.#known.set(identifier, known);
      // It may be installed by the next time.
      known.catch(() => this.#known.delete(identifier));
    }
    return known;
  }

  /** No sandbox is made ahead any more. */
  rest(): void {
    this.#closed = true;
    for (const classes of this.#interpreters.values()) classes.rest();
  }

  async close(): Promise<void> {
    this.rest();
    await Promise.allSettled(this.#known.values());
    await Promise.all([...this.#interpreters.values()].map((classes) => classes.close()));
  }

  async #find(identifier: string): Promise<MemoryClasses<T>> {
    const { directory, clock, log, make } = this.#options;
    const interpreter = await findInterpreter(identifier);
    if (typeof interpreter === 'string') throw new HearthError('SandboxFailed', interpreter);
    const runtime = pythonOn(interpreter);
    const files = await materialiseRuntime({ runtime, directory: join(directory, 'runtimes') });
    if (this.#closed) throw new HearthError('ShuttingDown', 'the sandboxes are closed');
    let classes = this.#interpreters.get(interpreter.file);
    if (!classes) {
      log.info({ runtime: identifier, file: interpreter.file, version: interpreter.version }, 'an interpreter was found');
      classes = new MemoryClasses({ runtime, files, clock, log, make });
      this.#interpreters.set(interpreter.file, classes);
    }
    return classes;
  }
}
