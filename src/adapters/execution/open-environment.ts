import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Random } from '../../kernel/mod.ts';
import type { SandboxSpec } from '../../ports/mod.ts';
import { Environment } from './environment.ts';
import type { Processes, WindDownMs } from './environment.ts';
import { factsOf } from './external.ts';
import { onFreePort } from './free-port.ts';
import { refuseUnknown } from './reply.ts';
import { listenForProcesses } from './server.ts';
import type { ApiHandler } from './server.ts';
import type { WindDowns } from './wind-downs.ts';

export type OpenOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly windDowns: WindDowns;
  readonly windDown: WindDownMs;
  readonly spec: SandboxSpec;
  /** The names of what is in /opt/extensions. */
  readonly external: readonly string[];
  /** Where it finds the APIs, and whose connections come to `handle` by another way; undefined: at a port of this machine. */
  readonly inside: { readonly address: string; readonly port: number } | undefined;
  /** As of `Environment`. */
  readonly standsStill: boolean;
  readonly processes: Processes;
  /** Ends what is left of them. */
  readonly kill: () => void;
};

/** An execution environment and the APIs that it finds. */
export type OpenedEnvironment = {
  readonly environment: Environment;
  /** The spec, with where these APIs are found. */
  readonly placed: Promise<SandboxSpec>;
  /** Whether it is to end. */
  readonly ended: boolean;
  readonly handle: ApiHandler;
  /** What else is served at that port. */
  serve: (request: IncomingMessage, response: ServerResponse) => void;
  /** It is to end, in the time that is its own; `wanted`: not because the runtime has ended. */
  end(wanted: boolean): void;
  /** Its processes have ended. */
  close(): void;
};

/** What is the same of environments, whatever their processes are. */
export function openEnvironment(options: OpenOptions): OpenedEnvironment {
  const { clock, random, windDowns, windDown, spec, external, inside, standsStill, processes, kill } = options;
  const handle: ApiHandler = (request, response) => {
    if (!environment.handle(request, response)) opened.serve(request, response);
  };
  const listening = inside ? undefined : listenForProcesses(handle);
  let port = inside?.port ?? 0;
  const place = async (): Promise<SandboxSpec> => {
    const at = (await listening) ?? inside!;
    ({ port } = at);
    // Where it has no network of its own, that of its program may be somebody else's too.
    const given = inside ? spec : await onFreePort(spec);
    const AWS_LAMBDA_RUNTIME_API = `${at.address}:${port}`;
    return { ...given, environment: { ...given.environment, AWS_LAMBDA_RUNTIME_API } };
  };
  const environment = new Environment({
    clock,
    uuid: () => random.uuid(),
    facts: factsOf(spec),
    external,
    port: () => port,
    standsStill,
    windDown,
    processes,
  });
  let ended = false;
  const opened: OpenedEnvironment = {
    environment,
    placed: place(),
    get ended() {
      return ended;
    },
    handle,
    serve: (_, response) => refuseUnknown(response),
    end(wanted) {
      if (ended) return;
      ended = true;
      windDowns.begin(environment, wanted, () => {
        opened.close();
        kill();
      });
    },
    close() {
      environment.close();
      void listening?.then((server) => server.close());
    },
  };
  return opened;
}
