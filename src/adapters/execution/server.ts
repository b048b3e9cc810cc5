/** HTTP for the APIs inside of execution environments: one server for all, told by the connection which environment it is. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { createServer as createNetServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export type ApiHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** Client context and identity come as headers. */
const HEADER_BYTES = 64 * 1024;

/** Of one environment at a time. */
const CONNECTIONS = 1_000;

const handlers = new WeakMap<Socket, ApiHandler>();
let shared: Server | undefined;

/** Serves a connection that an environment's process has made. */
export function serveConnection(connection: Socket, handler: ApiHandler): void {
  shared ??= createApiServer();
  handlers.set(connection, handler);
  shared.emit('connection', connection);
}

export type Listening = { readonly address: string; readonly port: number; close(): void };

/** The same at a port of this machine's loopback, for processes that have no network of their own. */
export async function listenForProcesses(handler: ApiHandler): Promise<Listening> {
  const connections = new Set<Socket>();
  const server = createNetServer((connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    serveConnection(connection, handler);
  });
  server.maxConnections = CONNECTIONS;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // A function that waits keeps no host alive.
  server.unref();
  return {
    address: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const connection of connections) connection.destroy();
    },
  };
}

/** It listens nowhere. A request for an event waits for as long as there is none, so no time is limited but that of headers. */
function createApiServer(): Server {
  const server = createServer(
    { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 10_000, maxHeaderSize: HEADER_BYTES, joinDuplicateHeaders: false },
    (request, response) => handlers.get(request.socket)?.(request, response),
  );
  server.on('clientError', (_, socket) => socket.destroy());
  return server;
}
