import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Random } from '../../kernel/mod.ts';
import type { Exit, SandboxSpec } from '../../ports/mod.ts';
import { extensionEnvironment } from '../../../runtimes/ladder/extension-environment.ts';
import { WindDowns, connectHere, openEnvironment } from '../execution/mod.ts';
import type { Environment, OpenedEnvironment, WindDownMs } from '../execution/mod.ts';
import { Lines } from '../link/mod.ts';
import { functionEnvironment } from './function-environment.ts';
import type { FunctionProcess } from './function-process.ts';
import type { Watchdog } from './watchdog.ts';

export type EnvironmentsOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly windDown: WindDownMs;
  /** Where extensions put temporary files. */
  readonly temporary: string;
  readonly watchdog: Watchdog;
};

/** An execution environment of plain processes. */
export type Opened = OpenedEnvironment & {
  /** The spec with where its APIs are found, as soon as the function may begin. */
  readonly spec: Promise<SandboxSpec>;
  /** The function's process; once. */
  attach(process: FunctionProcess): void;
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
    const { clock, random, windDown } = this.#options;
    let process: FunctionProcess | undefined;
    let own: readonly ExtensionProcess[] = [];
    const registered = Promise.withResolvers<void>();
    const opened = openEnvironment({
      ...{ clock, random, windDowns: this.#windDowns, windDown, spec, external },
      inside: undefined,
      standsStill: true,
      processes: {
        startRuntime: () => registered.resolve(),
        freeze: () => {},
        signalRuntime: (signal) => process?.signal(signal),
        connect: connectHere,
      },
      kill() {
        registered.resolve();
        process?.kill();
        for (const extension of own) extension.kill();
      },
    });
    const { environment } = opened;
    const begin = async (): Promise<SandboxSpec> => {
      const given = await opened.placed;
      if (opened.ended || external.length === 0) return given;
      own = external.map((name) => this.#launch(name, given, environment));
      await Promise.race([registered.promise, environment.failure]);
      return given;
    };
    return Object.assign(opened, {
      spec: begin(),
      attach(given: FunctionProcess) {
        process = given;
        void given.exited.then(() => environment.runtimeEnded());
        if (opened.ended) given.kill();
      },
    });
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
  /** Undefined: there is none, or it has ended. */
  #pid: number | undefined;

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
      this.#pid = undefined;
      watchdog.remove(child.pid!);
      resolve(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal });
    });
  }

  /** Ends the whole process group. Its number may be that of others once it has ended. */
  kill(): void {
    if (this.#pid === undefined) return;
    try {
      process.kill(-this.#pid, 'SIGKILL');
    } catch {
      // ESRCH: nobody of the group is left.
    }
  }
}
