import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Log } from '../../kernel/mod.ts';
import type { BootListener, BootResult, Exit, InitFailure, Instance, SandboxSpec, Step, Template } from '../../ports/mod.ts';
import type { LogLevel } from '../../protocol/mod.ts';
import { ProgramInstance, listenForProcesses, serveConnection } from '../execution/mod.ts';
import { Lines, awaitReady } from '../link/mod.ts';
import type { Link, Steps } from '../link/mod.ts';
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

type Started = { readonly instance: ProgramInstance; readonly heard: Promise<InitFailure | 'ready'> };

/**
 * Functions that are executables of their own. Each instance is a sandbox: its template becomes the program, and what it finds at the address
 * of the Runtime API is the host.
 */
export class Programs {
  readonly #options: ProgramsOptions;

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  /** The program that has shown that init succeeds becomes the first instance. */
  async boot(spec: SandboxSpec, listener: BootListener): Promise<BootResult> {
    const { clock } = this.#options;
    const { instance, heard } = this.#start(spec, (text, level) => listener.log(text, level));
    const startedMs = clock.monotonicMs();
    const outcome = await heard;
    if (outcome === 'ready') {
      const again = () => this.#start(spec).instance;
      return { ok: true, template: new ProgramTemplate(clock.monotonicMs() - startedMs, instance, again) };
    }
    instance.kill();
    return { ok: false, failure: outcome };
  }

  #start(spec: SandboxSpec, log?: (text: string, level: LogLevel) => void): Started {
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
      const heard = await this.#hear(spec, sandbox, instance, link);
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

  /** What comes first: it asks for an event, says that it cannot, ends, or time is up. */
  async #hear(spec: SandboxSpec, sandbox: Sandbox, instance: ProgramInstance, link: Link): Promise<InitFailure | 'ready'> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const initMs = () => clock.monotonicMs() - startedMs;
    // It closes as soon as the program has taken the template's place, or tells why that could not be.
    const log = (text: string, level: LogLevel) => instance.onLog?.(text, level);
    const ended = awaitReady({ link, initTimeoutMs: spec.initTimeoutMs, clock, listener: { log }, exited: () => sandbox.templateEnded });
    const timedOut = Promise.withResolvers<InitFailure>();
    const timer = clock.after(spec.initTimeoutMs, () => timedOut.resolve({ kind: 'timedOut', initMs: initMs() }));
    const first = await Promise.race([ended, instance.initialised, timedOut.promise]);
    timer.cancel();
    void sandbox.templateEnded.then((exit) => instance.reportExit(exit));
    if (first.kind === 'ready') return 'ready';
    return 'initMs' in first ? first : { ...first, initMs: initMs() };
  }
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

class ProgramTemplate implements Template {
  readonly initMs: number;
  readonly streaming = false;
  readonly forks = false;
  readonly blockers = [];
  readonly steps: readonly Step[];
  readonly closed: Promise<Exit>;
  readonly #settle: (exit: Exit) => void;
  readonly #start: () => Instance;
  /** The one that has shown that init succeeds, until it is given away. */
  #first: ProgramInstance | undefined;
  #open = true;

  constructor(initMs: number, first: ProgramInstance, start: () => Instance) {
    this.initMs = initMs;
    this.steps = first.takeSteps();
    this.#first = first;
    this.#start = start;
    const { promise, resolve } = Promise.withResolvers<Exit>();
    this.closed = promise;
    this.#settle = resolve;
  }

  fork(): Instance {
    const first = this.#first;
    this.#first = undefined;
    if (first?.alive) {
      first.onLog = undefined;
      return first;
    }
    const instance = this.#start();
    // Nobody gives the instances of a closed template work.
    if (!this.#open) instance.kill();
    return instance;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#first?.kill();
    this.#first = undefined;
    this.#settle({ kind: 'ended' });
  }
}
