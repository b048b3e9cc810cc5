import type { Clock, Log } from '../../kernel/mod.ts';
import { Blanks } from './blanks.ts';
import type { Blank } from './blanks.ts';
import type { Runtime } from './runtime.ts';
import { Zygote } from './zygote.ts';

export type MemoryClassesOptions<T extends Blank> = {
  readonly runtime: Runtime;
  /** The directory with the runtime's files. */
  readonly files: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly make: (zygote: Zygote) => T;
};

/** The zygotes of one runtime and the sandboxes made ahead of them, by memory class: on first need. */
export class MemoryClasses<T extends Blank> {
  readonly #options: MemoryClassesOptions<T>;
  readonly #zygotes = new Map<number, Zygote>();
  readonly #blanks = new Map<number, Blanks<T>>();

  constructor(options: MemoryClassesOptions<T>) {
    this.#options = options;
  }

  /** Takes over a zygote of this runtime that has been started already. */
  adopt(zygote: Zygote): void {
    zygote.log = this.#options.log;
    this.#zygotes.set(zygote.memoryClassMiB, zygote);
  }

  /** The smallest class, before anybody needs it. Throws HearthError `SandboxFailed` when its zygote does not start. */
  async prepare(): Promise<void> {
    const [smallest] = this.#options.runtime.memoryClassesMiB;
    await this.#zygote(smallest).ready();
    this.#blanksOf(smallest).prepare();
  }

  /** A sandbox for a function of so much memory: one made ahead, or made now. */
  take(memoryMiB: number): T {
    return this.#blanksOf(this.#classOf(memoryMiB)).take();
  }

  /** Of the class for so much memory; started anew where it has ended. */
  zygoteFor(memoryMiB: number): Zygote {
    return this.#zygote(this.#classOf(memoryMiB));
  }

  /** No sandbox is made ahead any more. */
  rest(): void {
    for (const blanks of this.#blanks.values()) blanks.close();
  }

  /** Settles when the zygotes are gone. */
  async close(): Promise<void> {
    await Promise.all([...this.#zygotes.values()].map((zygote) => zygote.close()));
  }

  #classOf(memoryMiB: number): number {
    const { memoryClassesMiB } = this.#options.runtime;
    return memoryClassesMiB.find((mib) => mib >= memoryMiB) ?? memoryClassesMiB.at(-1)!;
  }

  #blanksOf(memoryClassMiB: number): Blanks<T> {
    let blanks = this.#blanks.get(memoryClassMiB);
    if (!blanks) {
      const { clock, make } = this.#options;
      blanks = new Blanks({ clock, make: () => make(this.#zygote(memoryClassMiB)) });
      this.#blanks.set(memoryClassMiB, blanks);
    }
    return blanks;
  }

  #zygote(memoryClassMiB: number): Zygote {
    let zygote = this.#zygotes.get(memoryClassMiB);
    if (!zygote?.alive) {
      const { runtime, files, log } = this.#options;
      zygote = new Zygote({ runtime, files, memoryClassMiB, log });
      this.#zygotes.set(memoryClassMiB, zygote);
    }
    return zygote;
  }
}
