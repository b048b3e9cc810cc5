import type { Clock, Log } from '../../kernel/mod.ts';
import type { BootListener, BootResult, InitFailure, SandboxSpec } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import { bootProgram, connectHere, externalExtensions, startOwnProgram } from '../execution/mod.ts';
import type { StartProgram, StartedProgram } from '../execution/mod.ts';
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

  #start(spec: SandboxSpec, opened: Opened, log: Parameters<StartProgram>[0]): StartedProgram {
    const { clock, take, init } = this.#options;
    const { environment, api, beside } = opened;
    const { label, network, initTimeoutMs } = spec;
    let sandbox: Sandbox | undefined;
    const lines = new Lines((line) => environment.functionLine(line, 'INFO'));
    const started = startOwnProgram({
      ...{ clock, spec, opened, log },
      start: 'boot',
      connect: (port) => (network?.kind === 'host' ? connectHere(port) : sandbox!.inside.connect(port)),
      memoryKiB: () => sandbox?.memoryKiB() ?? 0,
      flush: () => {
        sandbox?.flushOutput();
        lines.end();
      },
      begin: async (program) => {
        const placed = await opened.placed;
        sandbox = take(placed, program.steps);
        sandbox.onChunk = (chunk) => lines.push(chunk);
        opened.attach(sandbox);
        program.steps.add('function given');
        const link = init(sandbox, placed, { api, beside, serves: program });
        if (!program.alive) sandbox.end();
        const { templateEnded } = sandbox;
        void templateEnded.then((exit) => program.reportExit(exit));
        // The link closes as soon as the program has taken the template's place, or tells why that could not be.
        const listener = { log: (text: string, level: LogLevel) => environment.onLog?.(text, level) };
        const heard = awaitReady({ link, initTimeoutMs, clock, listener, exited: () => templateEnded });
        return { placed, ended: heard.then(neverReady) };
      },
    });
    started.heard.catch((error: unknown) => this.#options.log.error({ error, label }, 'a program could not be started'));
    return started;
  }
}

/** A template that becomes a program has nothing to say of a module that it has loaded. */
function neverReady(heard: Ready | InitFailure): InitFailure {
  return heard.kind === 'ready'
    ? { kind: 'exited', exit: { kind: 'violated', message: 'a program was ready as a module is' }, initMs: 0 }
    : heard;
}
