import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Log } from '../../kernel/mod.ts';
import type { BootListener, BootResult, InitFailure, SandboxSpec } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import { ProgramInstance, bootProgram, hearInit, listenForProcesses, serveConnection } from '../execution/mod.ts';
import type { StartedProgram } from '../execution/mod.ts';
import { Lines, awaitReady } from '../link/mod.ts';
import type { Link, Ready, Steps } from '../link/mod.ts';
import { RUNTIME_API } from './doorway.ts';
import type { InitOptions, Sandbox } from './sandbox.ts';

export type ProgramsOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly take: (spec: SandboxSpec, steps: Steps) => Sandbox;
  readonly init: (sandbox: Sandbox, spec: SandboxSpec, more: Pick<InitOptions, 'api' | 'serves'>) => Link;
};

/** Between two invocations so close to each other nothing is stopped. */
const FREEZE_AFTER_MS = 5;

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
    return await bootProgram(this.#options.clock, (log) => this.#start(spec, log), listener);
  }

  #start(spec: SandboxSpec, log: ((text: string, level: LogLevel) => void) | undefined): StartedProgram {
    const { clock } = this.#options;
    let sandbox: Sandbox | undefined;
    const freezer = new Freezer(clock, (frozen) => sandbox?.freeze(frozen));
    let closeApi = () => {};
    const lines = new Lines((line) => instance.onLog?.(line, 'INFO'));
    const flush = () => {
      sandbox?.flushOutput();
      lines.end();
    };
    const instance = new ProgramInstance({
      start: 'boot',
      clock,
      memoryKiB: () => sandbox?.memoryKiB() ?? 0,
      flush,
      idle: (idle) => freezer.idle(idle),
      end: () => {
        freezer.stop();
        closeApi();
        sandbox?.end();
      },
    });
    instance.onLog = log;
    const begin = async (): Promise<InitFailure | 'ready'> => {
      const handler = (request: IncomingMessage, response: ServerResponse) => instance.handle(request, response);
      const listening = spec.network?.kind === 'host' ? await listenForProcesses(handler) : undefined;
      closeApi = () => listening?.close();
      const address = listening?.address ?? `${RUNTIME_API.address}:${RUNTIME_API.port}`;
      sandbox = this.#options.take(spec, instance.steps);
      sandbox.onChunk = (chunk) => lines.push(chunk);
      const environment = { ...spec.environment, AWS_LAMBDA_RUNTIME_API: address };
      const api = (connection: Socket) => serveConnection(connection, handler);
      instance.steps.add('function given');
      const link = this.#options.init(sandbox, { ...spec, environment }, { api, serves: instance });
      if (!instance.alive) sandbox.end();
      const { templateEnded } = sandbox;
      void templateEnded.then((exit) => instance.reportExit(exit));
      // The link closes as soon as the program has taken the template's place, or tells why that could not be.
      const listener = { log: (text: string, level: LogLevel) => instance.onLog?.(text, level) };
      const { initTimeoutMs } = spec;
      const ended = awaitReady({ link, initTimeoutMs, clock, listener, exited: () => templateEnded });
      const heard = await hearInit({ clock, initTimeoutMs, instance, ended: ended.then(neverReady) });
      flush();
      return heard;
    };
    const heard = begin();
    heard.catch((error: unknown) => {
      this.#options.log.error({ error, label: spec.label }, 'a program could not be started');
      closeApi();
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

/** Stops an instance that has nothing to do, after a moment in which that may change. */
class Freezer {
  readonly #clock: Clock;
  readonly #freeze: (frozen: boolean) => void;
  #timer: ReturnType<Clock['after']> | undefined;
  #frozen = false;

  constructor(clock: Clock, freeze: (frozen: boolean) => void) {
    this.#clock = clock;
    this.#freeze = freeze;
  }

  idle(idle: boolean): void {
    this.stop();
    if (idle) {
      this.#timer = this.#clock.after(FREEZE_AFTER_MS, () => {
        this.#frozen = true;
        this.#freeze(true);
      });
    } else if (this.#frozen) {
      this.#frozen = false;
      this.#freeze(false);
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
