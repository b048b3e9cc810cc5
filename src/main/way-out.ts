/** Joins the sandboxes to the proxy: whoever connects inside is known by the sandbox that the connection comes from. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createEgress, resolveHost } from '../adapters/egress/mod.ts';
import type { EgressProxy } from '../adapters/egress/mod.ts';
import { LIMITS } from '../kernel/mod.ts';
import type { Log } from '../kernel/mod.ts';
import type { SandboxSpec } from '../ports/mod.ts';
import type { Endpoint } from '../protocol/mod.ts';

export type Connected = (connection: Socket, spec: SandboxSpec, endpoint: Endpoint | undefined) => void;

export type WayOutOptions = {
  /** A request to the platform itself. */
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
  readonly port: () => number;
  readonly refused: (functionName: string, reason: string) => void;
  readonly log: Log;
};

export type WayOut = Pick<EgressProxy, 'callerOf' | 'close'> & { readonly connected: Connected };

export function openWayOut({ serve, port, refused, log }: WayOutOptions): WayOut {
  const limits = { ...LIMITS.http, ...LIMITS.egress };
  const egress = createEgress({ resolve: resolveHost, platform: serve, platformPort: port, limits, refused, log });
  return {
    callerOf: (request) => egress.callerOf(request),
    close: () => egress.close(),
    connected(connection, { label, network }, endpoint) {
      if (network?.kind !== 'egress') return void connection.destroy();
      // `NAME:VERSION`
      const caller = { functionName: label.split(':')[0]!, network };
      if (endpoint) egress.acceptEndpoint(connection, caller, endpoint);
      else egress.accept(connection, caller);
    },
  };
}
