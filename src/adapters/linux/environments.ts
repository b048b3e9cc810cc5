import { constants } from 'node:os';
import type { Clock, Random } from '../../kernel/mod.ts';
import type { SandboxSpec } from '../../ports/mod.ts';
import { WindDowns, connectHere, openEnvironment, serveConnection } from '../execution/mod.ts';
import type { OpenedEnvironment, WindDownMs } from '../execution/mod.ts';
import { Lines } from '../link/mod.ts';
import type { Accept } from './doorway.ts';
import { RUNTIME_API } from './doorway.ts';
import type { Beside } from './inside.ts';
import { loaderOf } from './runtime.ts';
import type { Sandbox } from './sandbox.ts';

export type EnvironmentsOptions = { readonly clock: Clock; readonly random: Random; readonly windDown: WindDownMs };

/** An execution environment and the sandbox that it is, or will be. */
export type Opened = OpenedEnvironment & {
  readonly api: Accept;
  readonly beside: Beside;
  /** The sandbox that it is; once. */
  attach(sandbox: Sandbox): void;
};

/** Makes execution environments for sandboxes, and winds them down. */
export class Environments {
  readonly #options: EnvironmentsOptions;
  readonly #windDowns = new WindDowns();

  constructor(options: EnvironmentsOptions) {
    this.#options = options;
  }

  /** `external`: the names of what is in /opt/extensions. */
  open(spec: SandboxSpec, external: readonly string[]): Opened {
    const own = spec.network?.kind !== 'host';
    let sandbox: Sandbox | undefined;
    const opened = openEnvironment({
      ...this.#options,
      windDowns: this.#windDowns,
      spec,
      external,
      inside: own ? RUNTIME_API : undefined,
      standsStill: loaderOf(spec.runtime) !== 'program',
      processes: {
        startRuntime: () => sandbox?.inside.startFunction(),
        freeze: (frozen) => sandbox?.inside.freeze(frozen),
        signalRuntime: (signal) => sandbox?.inside.signal(constants.signals[signal]),
        connect: (port) => (own ? sandbox!.inside.connect(port) : connectHere(port)),
      },
      kill: () => sandbox?.end(),
    });
    const { environment } = opened;
    const lines = new Lines((line) => environment.extensionLine(line));
    const beside: Beside = {
      names: external,
      onChunk: (chunk) => lines.push(chunk),
      onEnded: (name, exit) => {
        lines.end();
        environment.extensionEnded(name, exit);
      },
    };
    return Object.assign(opened, {
      api: (connection: Parameters<Accept>[0]) => serveConnection(connection, opened.handle),
      beside,
      attach(given: Sandbox) {
        sandbox = given;
        void given.templateEnded.then(() => environment.runtimeEnded());
        void given.ended.then(() => opened.close());
        if (!opened.ended) return;
        opened.close();
        given.end();
      },
    });
  }

  /** Resolves when those that are being wound down have ended. */
  async close(): Promise<void> {
    await this.#windDowns.settled();
  }
}
