import { readFile } from 'node:fs/promises';
import type { Clock } from '../../kernel/mod.ts';
import type { BootListener, BootResult, InitFailure, SandboxSpec } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import {
  ExtendedInstance,
  ProgramInstance,
  WebServer,
  bootProgram,
  connectHere,
  externalExtensions,
  hearInit,
  nothingAnswers,
} from '../execution/mod.ts';
import type { Initialised, ProgramInit, StartedProgram } from '../execution/mod.ts';
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

  #start({ initTimeoutMs, web }: SandboxSpec, opened: Opened, log: ((text: string, level: LogLevel) => void) | undefined): StartedProgram {
    const { clock, launch, watch } = this.#options;
    const { environment } = opened;
    let process: FunctionProcess | undefined;
    let server: WebServer | undefined;
    let placed = web;
    const memory = new Peak();
    const program = new ProgramInstance({
      start: 'spawn',
      clock,
      memoryKiB: () => memory.look(process?.pid),
      flush: () => {},
      idle: (idle) => environment.runtimeWaits(idle),
      ...(web && { runtime: (listener) => (server = new WebServer({ web, clock, connect: connectHere, listener })) }),
      end: (wanted) => {
        server?.close();
        opened.end(wanted);
      },
    });
    opened.serve = (request, response) => program.handle(request, response);
    const instance = new ExtendedInstance({ inner: program, environment, clock, asks: true });
    instance.onLog = log;
    const gone = Promise.withResolvers<InitFailure>();
    const run = async (): Promise<ProgramInit | InitFailure> => {
      program.steps.add('process ordered');
      const spec = await opened.spec;
      if (environment.failed) return { kind: 'failed', error: environment.failed };
      const launched = launch(spec);
      if ('errorType' in launched) return { kind: 'failed', error: launched };
      process = launched;
      process.onOutput = (text, level) => environment.functionLine(text, level);
      opened.attach(process);
      watch(process, program);
      if (!instance.alive) process.kill();
      placed = spec.web;
      server?.begin(placed);
      void process.exited.then((exit) => {
        program.reportExit(exit);
        gone.resolve({ kind: 'exited', exit, initMs: 0 });
      });
      return await Promise.race([gone.promise, program.initialised]);
    };
    const hear = async () => {
      const heard = await hearInit<Initialised>({ clock, initTimeoutMs, environment, runtime: run(), ended: gone.promise });
      return placed && heard.kind === 'timedOut' ? { ...heard, missing: nothingAnswers(placed) } : heard;
    };
    return { instance, heard: hear() };
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
