/** Functions that are executables of their own: what is the same of them whether a sandbox becomes the program or a plain process is it. */
import type { Socket } from 'node:net';
import type { Clock } from '../../kernel/mod.ts';
import type { InitFailure, Instance, SandboxSpec } from '../../ports/mod.ts';
import type { FunctionError, LogLevel } from '../../protocol/mod.ts';
import { ExtendedInstance } from './extended-instance.ts';
import type { OpenedEnvironment } from './open-environment.ts';
import { ProgramInstance } from './program-instance.ts';
import type { ProgramInit } from './program-instance.ts';
import { hearInit } from './program-template.ts';
import type { StartedProgram } from './program-template.ts';
import { WebServer, nothingAnswers } from './web-server.ts';

/** `placed`: the spec that it was given. `ended`: how its init came to nothing, where it did not say so itself. */
export type BegunProgram = { readonly placed: SandboxSpec; readonly ended: Promise<InitFailure> };

export type OwnProgramOptions = {
  readonly clock: Clock;
  readonly spec: SandboxSpec;
  readonly opened: OpenedEnvironment;
  readonly start: Instance['start'];
  readonly log: ((text: string, level: LogLevel) => void) | undefined;
  /** As of `ProgramInstance`. */
  readonly memoryKiB: () => number;
  readonly flush: () => void;
  /** To a port where the program listens. */
  readonly connect: (port: number) => Promise<Socket>;
  /** Starts it, and reports its end to `program`; an error is the function's own. */
  readonly begin: (program: ProgramInstance) => Promise<BegunProgram | FunctionError>;
};

/** Its Runtime API is the host's, at the address of its environment, unless it is a web server, to which the host takes the events. */
export function startOwnProgram(options: OwnProgramOptions): StartedProgram {
  const { clock, spec, opened, start, log, memoryKiB, flush, connect, begin } = options;
  const { environment } = opened;
  const { web } = spec;
  let placed = web;
  let server: WebServer | undefined;
  const program = new ProgramInstance({
    start,
    clock,
    memoryKiB,
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
  const ended = Promise.withResolvers<InitFailure>();
  const run = async (): Promise<ProgramInit | InitFailure> => {
    const begun = await begin(program);
    if ('errorType' in begun) return { kind: 'failed', error: begun };
    placed = begun.placed.web;
    server?.begin(placed);
    ended.resolve(begun.ended);
    return await Promise.race([ended.promise, program.initialised]);
  };
  const hear = async () => {
    const { initTimeoutMs } = spec;
    const heard = await hearInit({ clock, initTimeoutMs, environment, runtime: run(), ended: ended.promise });
    flush();
    return placed && heard.kind === 'timedOut' ? { ...heard, missing: nothingAnswers(placed) } : heard;
  };
  return { instance, heard: hear() };
}
