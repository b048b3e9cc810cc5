import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:os';
import type { Clock, Random } from '../../kernel/mod.ts';
import type { SandboxSpec } from '../../ports/mod.ts';
import {
  Environment,
  WindDowns,
  connectHere,
  factsOf,
  listenForProcesses,
  onFreePort,
  refuseUnknown,
  serveConnection,
} from '../execution/mod.ts';
import { Lines } from '../link/mod.ts';
import type { Accept } from './doorway.ts';
import { RUNTIME_API } from './doorway.ts';
import type { Beside } from './inside.ts';
import { loaderOf } from './runtime.ts';
import type { Sandbox } from './sandbox.ts';

export type EnvironmentsOptions = { readonly clock: Clock; readonly random: Random };

export type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/** An execution environment and the sandbox that it is, or will be. */
export type Opened = {
  readonly environment: Environment;
  /** The spec, with where these APIs are found. */
  readonly spec: Promise<SandboxSpec>;
  readonly api: Accept;
  readonly beside: Beside;
  /** What else is served at that port. */
  serve: Serve;
  /** The sandbox that it is; once. */
  attach(sandbox: Sandbox): void;
  /** It is to end, in the time that is its own; `wanted`: not because the runtime has ended. */
  end(wanted: boolean): void;
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
    const { clock, random } = this.#options;
    const own = spec.network?.kind !== 'host';
    const handler = (request: IncomingMessage, response: ServerResponse) => {
      if (!environment.handle(request, response)) opened.serve(request, response);
    };
    const listening = own ? undefined : listenForProcesses(handler);
    let port: number = RUNTIME_API.port;
    const begin = async (): Promise<SandboxSpec> => {
      const placed = own ? spec : await onFreePort(spec);
      const address = (await listening)?.address ?? `${RUNTIME_API.address}:${RUNTIME_API.port}`;
      port = Number(address.slice(address.lastIndexOf(':') + 1));
      return { ...placed, environment: { ...placed.environment, AWS_LAMBDA_RUNTIME_API: address } };
    };
    let sandbox: Sandbox | undefined;
    let ended = false;
    const environment = new Environment({
      clock,
      uuid: () => random.uuid(),
      facts: factsOf(spec),
      external,
      port: () => port,
      standsStill: loaderOf(spec.runtime) !== 'program',
      processes: {
        startRuntime: () => sandbox?.inside.startFunction(),
        freeze: (frozen) => sandbox?.inside.freeze(frozen),
        signalRuntime: (signal) => sandbox?.inside.signal(constants.signals[signal]),
        connect: (port) => (own ? sandbox!.inside.connect(port) : connectHere(port)),
      },
    });
    const lines = new Lines((line) => environment.extensionLine(line));
    const close = () => {
      environment.close();
      void listening?.then((server) => server.close());
    };
    const finish = () => {
      close();
      sandbox?.end();
    };
    const opened: Opened = {
      environment,
      spec: begin(),
      api: (connection) => serveConnection(connection, handler),
      beside: {
        names: external,
        onChunk: (chunk) => lines.push(chunk),
        onEnded: (name, exit) => {
          lines.end();
          environment.extensionEnded(name, exit);
        },
      },
      serve: (_, response) => refuseUnknown(response),
      attach: (given) => {
        sandbox = given;
        void given.templateEnded.then(() => environment.runtimeEnded());
        void given.ended.then(close);
        if (ended) finish();
      },
      end: (wanted) => {
        if (ended) return;
        ended = true;
        this.#windDowns.begin(environment, wanted, finish);
      },
    };
    return opened;
  }

  /** Resolves when those that are being wound down have ended. */
  async close(): Promise<void> {
    await this.#windDowns.settled();
  }
}
