import type { IncomingMessage, ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, BootResult, InitFailure, SandboxSpec } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import { ProgramInstance, bootProgram, hearInit, listenForProcesses } from '../execution/mod.ts';
import type { StartedProgram } from '../execution/mod.ts';
import type { FunctionProcess } from './function-process.ts';
import type { PlainError } from './plain-runtime.ts';

export type ProgramsOptions = {
  readonly clock: Clock;
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
    return await bootProgram(this.#options.clock, (log) => this.#start(spec, log), listener);
  }

  #start(spec: SandboxSpec, log: ((text: string, level: LogLevel) => void) | undefined): StartedProgram {
    const { clock, launch, watch } = this.#options;
    let process: FunctionProcess | undefined;
    let closeApi = () => {};
    const memory = new Peak();
    const instance = new ProgramInstance({
      start: 'spawn',
      clock,
      memoryKiB: () => memory.look(process?.pid),
      flush: () => {},
      end: () => {
        closeApi();
        process?.kill();
      },
    });
    instance.onLog = log;
    const begin = async (): Promise<InitFailure | 'ready'> => {
      instance.steps.add('process ordered');
      const handler = (request: IncomingMessage, response: ServerResponse) => instance.handle(request, response);
      const listening = await listenForProcesses(handler);
      closeApi = () => listening.close();
      const launched = launch({ ...spec, environment: { ...spec.environment, AWS_LAMBDA_RUNTIME_API: listening.address } });
      if ('errorType' in launched) return { kind: 'failed', error: launched, initMs: 0 };
      process = launched;
      const { exited } = process;
      process.onOutput = (text, level) => instance.onLog?.(text, level);
      watch(process, instance);
      void exited.then((exit) => instance.reportExit(exit));
      if (!instance.alive) process.kill();
      const ended = exited.then((exit): InitFailure => ({ kind: 'exited', exit, initMs: 0 }));
      return await hearInit({ clock, initTimeoutMs: spec.initTimeoutMs, instance, ended });
    };
    const heard = begin();
    // A first one's failure is what init comes to; that of a further one ends what it was given.
    heard.then(
      (outcome) => {
        if (outcome !== 'ready') instance.kill();
      },
      () => instance.kill(),
    );
    return { instance, heard };
  }
}

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
