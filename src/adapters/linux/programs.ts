import type { Clock, Log } from '../../kernel/mod.ts';
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
import type { Initialised, StartedProgram } from '../execution/mod.ts';
import { Lines, awaitReady } from '../link/mod.ts';
import type { Link, Ready, Steps } from '../link/mod.ts';
import type { Environments, Opened } from './environments.ts';
import type { InitOptions } from './init-options.ts';
import type { Sandbox } from './sandbox.ts';

export type ProgramsOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly environments: Environments;
  readonly take: (spec: SandboxSpec, steps: Steps) => Sandbox;
  readonly init: (sandbox: Sandbox, spec: SandboxSpec, more: Pick<InitOptions, 'api' | 'serves' | 'beside'>) => Link;
};

/**
 * Functions that are executables of their own. Each instance is a sandbox: its template becomes the program, and what it finds at the address
 * of the Runtime API is the host.
 */
export class Programs {
  readonly #options: ProgramsOptions;

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    const { clock, environments } = this.#options;
    const external = await externalExtensions(spec);
    return await bootProgram(clock, (log) => this.#start(spec, environments.open(spec, external), log), listener);
  }

  #start({ label, web, network }: SandboxSpec, opened: Opened, log: ((text: string, level: LogLevel) => void) | undefined): StartedProgram {
    const { clock } = this.#options;
    const { environment } = opened;
    let sandbox: Sandbox | undefined;
    let server: WebServer | undefined;
    const connect = (port: number) => (network?.kind === 'host' ? connectHere(port) : sandbox!.inside.connect(port));
    const lines = new Lines((line) => environment.functionLine(line, 'INFO'));
    const flush = () => {
      sandbox?.flushOutput();
      lines.end();
    };
    const program = new ProgramInstance({
      start: 'boot',
      clock,
      memoryKiB: () => sandbox?.memoryKiB() ?? 0,
      flush,
      idle: (idle) => environment.runtimeWaits(idle),
      ...(web && { runtime: (listener) => (server = new WebServer({ web, clock, connect, listener })) }),
      end: (wanted) => {
        server?.close();
        opened.end(wanted);
      },
    });
    opened.serve = (request, response) => program.handle(request, response);
    const instance = new ExtendedInstance({ inner: program, environment, clock, asks: true });
    instance.onLog = log;
    const begin = async (): Promise<Initialised | InitFailure> => {
      const spec = await opened.placed;
      sandbox = this.#options.take(spec, program.steps);
      sandbox.onChunk = (chunk) => lines.push(chunk);
      opened.attach(sandbox);
      program.steps.add('function given');
      const link = this.#options.init(sandbox, spec, { api: opened.api, beside: opened.beside, serves: program });
      if (!instance.alive) sandbox.end();
      const { templateEnded } = sandbox;
      void templateEnded.then((exit) => program.reportExit(exit));
      server?.begin(spec.web);
      // The link closes as soon as the program has taken the template's place, or tells why that could not be.
      const listener = { log: (text: string, level: LogLevel) => instance.onLog?.(text, level) };
      const { initTimeoutMs } = spec;
      const ended = awaitReady({ link, initTimeoutMs, clock, listener, exited: () => templateEnded }).then(neverReady);
      const runtime = Promise.race([ended, program.initialised]);
      const heard = await hearInit({ clock, initTimeoutMs, environment, runtime, ended });
      flush();
      return spec.web && heard.kind === 'timedOut' ? { ...heard, missing: nothingAnswers(spec.web) } : heard;
    };
    const heard = begin();
    heard.catch((error: unknown) => {
      this.#options.log.error({ error, label }, 'a program could not be started');
      instance.kill();
    });
    return { instance, heard };
  }
}

/** A template that becomes a program has nothing to say of a module that it has loaded. */
function neverReady(heard: Ready | InitFailure): InitFailure {
  return heard.kind === 'ready'
    ? { kind: 'exited', exit: { kind: 'violated', message: 'a program was ready as a module is' }, initMs: 0 }
    : heard;
}
