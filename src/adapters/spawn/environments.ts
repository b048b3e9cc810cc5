import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Clock, Random } from '../../kernel/mod.ts';
import type { Exit, SandboxSpec } from '../../ports/mod.ts';
import { extensionEnvironment } from '../../../runtimes/provided/extension-environment.ts';
import { Environment, WindDowns, connectHere, factsOf, listenForProcesses, onFreePort, refuseUnknown } from '../execution/mod.ts';
import { Lines } from '../link/mod.ts';
import { functionEnvironment } from './function-environment.ts';
import type { FunctionProcess } from './function-process.ts';
import type { Watchdog } from './watchdog.ts';

export type EnvironmentsOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** Where extensions put temporary files. */
  readonly temporary: string;
  readonly watchdog: Watchdog;
};

/** An execution environment of plain processes. */
export type Opened = {
  readonly environment: Environment;
  /** The spec with where these APIs are found, as soon as the function may begin. */
  readonly spec: Promise<SandboxSpec>;
  /** What else is served at that port. */
  serve: (request: IncomingMessage, response: ServerResponse) => void;
  /** The function's process; once. */
  attach(process: FunctionProcess): void;
  /** It is to end, in the time that is its own; `wanted`: not because the function's process has ended. */
  end(wanted: boolean): void;
};

/** Makes execution environments without isolation, and winds them down. Nothing of them is stopped while it waits. */
export class Environments {
  readonly #options: EnvironmentsOptions;
  readonly #windDowns = new WindDowns();
  readonly #extensions = new Set<ExtensionProcess>();

  constructor(options: EnvironmentsOptions) {
    this.#options = options;
  }

  open(spec: SandboxSpec, external: readonly string[]): Opened {
    const { clock, random } = this.#options;
    let process: FunctionProcess | undefined;
    let port = 0;
    let ended = false;
    let own: readonly ExtensionProcess[] = [];
    const registered = Promise.withResolvers<void>();
    const listening = listenForProcesses((request, response) => {
      if (!environment.handle(request, response)) opened.serve(request, response);
    });
    const begin = async (): Promise<SandboxSpec> => {
      const { address } = await listening;
      port = Number(address.slice(address.lastIndexOf(':') + 1));
      const placed = await onFreePort(spec);
      const given = { ...placed, environment: { ...placed.environment, AWS_LAMBDA_RUNTIME_API: address } };
      if (ended || external.length === 0) return given;
      own = external.map((name) => this.#launch(name, given, environment));
      await Promise.race([registered.promise, environment.failure]);
      return given;
    };
    const environment = new Environment({
      clock,
      uuid: () => random.uuid(),
      facts: factsOf(spec),
      external,
      port: () => port,
      standsStill: true,
      processes: {
        startRuntime: () => registered.resolve(),
        freeze: () => {},
        signalRuntime: (signal) => process?.signal(signal),
        connect: connectHere,
      },
    });
    const finish = () => {
      environment.close();
      registered.resolve();
      void listening.then((server) => server.close());
      process?.kill();
      for (const extension of own) extension.kill();
    };
    const opened: Opened = {
      environment,
      spec: begin(),
      serve: (_, response) => refuseUnknown(response),
      attach: (given) => {
        process = given;
        void given.exited.then(() => environment.runtimeEnded());
        if (ended) given.kill();
      },
      end: (wanted) => {
        if (ended) return;
        ended = true;
        this.#windDowns.begin(environment, wanted, finish);
      },
    };
    return opened;
  }

  async close(): Promise<void> {
    await this.#windDowns.settled();
    for (const extension of this.#extensions) extension.kill();
    await Promise.all([...this.#extensions].map(({ ended }) => ended));
  }

  #launch(name: string, spec: SandboxSpec, environment: Environment): ExtensionProcess {
    const { temporary, watchdog } = this.#options;
    const extension = new ExtensionProcess({ name, spec, temporary, watchdog, line: (text) => environment.extensionLine(text) });
    this.#extensions.add(extension);
    void extension.ended.then((exit) => {
      this.#extensions.delete(extension);
      environment.extensionEnded(name, exit);
    });
    return extension;
  }
}

type ExtensionProcessOptions = {
  readonly name: string;
  readonly spec: SandboxSpec;
  readonly temporary: string;
  readonly watchdog: Watchdog;
  readonly line: (text: string) => void;
};

/** An external extension; it leads its own process group. */
class ExtensionProcess {
  /** Undefined: it could not begin. */
  readonly ended: Promise<Exit | undefined>;
  readonly #pid: number | undefined;

  constructor({ name, spec, temporary, watchdog, line }: ExtensionProcessOptions) {
    // That of the last layer is the one that would be seen in /opt.
    const [file] = spec.layerDirectories
      .toReversed()
      .map((layer) => join(layer, 'extensions', name))
      .filter(existsSync);
    const env = { ...extensionEnvironment(functionEnvironment(spec, temporary)) };
    const child = spawn(file ?? name, [], { cwd: temporary, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#pid = child.pid;
    const { promise, resolve } = Promise.withResolvers<Exit | undefined>();
    this.ended = promise;
    child.on('error', (error) => {
      line(`${name}: ${error.message}`);
      resolve(undefined);
    });
    for (const stream of [child.stdout, child.stderr]) {
      const lines = new Lines(line);
      stream.on('data', (chunk: Buffer) => lines.push(chunk)).on('end', () => lines.end());
    }
    if (child.pid === undefined) return;
    watchdog.add(child.pid);
    child.on('exit', (code, signal) => {
      this.kill();
      watchdog.remove(child.pid!);
      resolve(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal });
    });
  }

  /** Ends the whole process group. */
  kill(): void {
    if (this.#pid === undefined) return;
    try {
      process.kill(-this.#pid, 'SIGKILL');
    } catch {
      // ESRCH: nobody of the group is left.
    }
  }
}
