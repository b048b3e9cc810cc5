import { readFile } from 'node:fs/promises';
import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, BootResult, InitFailure, SandboxSpec } from '../../ports/mod.ts';
import { bootProgram, connectHere, externalExtensions, startOwnProgram } from '../execution/mod.ts';
import type { ProgramInstance, StartProgram, StartedProgram } from '../execution/mod.ts';
import type { Environments, Opened } from './environments.ts';
import type { FunctionProcess } from './function-process.ts';
import type { PlainError } from './plain-runtime.ts';

export type ProgramsOptions = {
  readonly clock: Clock;
  readonly environments: Environments;
  /** Starts the process, or says what is wrong with what the function brought. Throws when the operating system refuses. */
  readonly launch: (spec: SandboxSpec) => FunctionProcess | PlainError;
  /** It belongs to this instance from now on. */
  readonly watch: (process: FunctionProcess, instance: ProgramInstance) => void;
};

/** Functions that are executables of their own, as plain processes: each finds its Runtime API at a port of this machine's loopback. */
export class Programs {
  readonly #options: ProgramsOptions;

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    if (spec.image) return { ok: false, failure: { kind: 'failed', error: NO_IMAGES, initMs: 0 } };
    const { clock, environments } = this.#options;
    const external = await externalExtensions(spec);
    return await bootProgram(clock, (log) => this.#start(spec, environments.open(spec, external), log), listener);
  }

  #start(spec: SandboxSpec, opened: Opened, log: Parameters<StartProgram>[0]): StartedProgram {
    const { clock, launch, watch } = this.#options;
    const { environment } = opened;
    let process: FunctionProcess | undefined;
    const memory = new Peak();
    return startOwnProgram({
      ...{ clock, spec, opened, log, connect: connectHere },
      start: 'spawn',
      memoryKiB: () => memory.look(process?.pid),
      flush: () => {},
      begin: async (program) => {
        program.steps.add('process ordered');
        const placed = await opened.spec;
        if (environment.failed) return environment.failed;
        const launched = launch(placed);
        if ('errorType' in launched) return launched;
        process = launched;
        process.onOutput = (text, level) => environment.functionLine(text, level);
        opened.attach(process);
        watch(process, program);
        if (!program.alive) process.kill();
        const ended = process.exited.then((exit): InitFailure => {
          program.reportExit(exit);
          return { kind: 'exited', exit, initMs: 0 };
        });
        return { placed, ended };
      },
    });
  }
}

const NO_IMAGES = {
  errorType: 'Runtime.InvalidEntrypoint',
  errorMessage: 'Container images need sandboxes, and functions run as plain processes here: "hearth doctor" says why',
};

/** The most memory that a process has had resident. */
class Peak {
  #kiB = 0;
  #looking = false;

  /** As it was when it was looked at last, KiB; looks again meanwhile. */
  look(pid: number | undefined): number {
    if (pid !== undefined && !this.#looking) {
      this.#looking = true;
      void readFile(`/proc/${pid}/status`, 'latin1')
        .catch(() => '')
        .then((status) => {
          this.#looking = false;
          this.#kiB = Math.max(this.#kiB, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0));
        });
    }
    return this.#kiB;
  }
}
