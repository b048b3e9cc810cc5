import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { SandboxSpec } from '../../ports/mod.ts';

/**
 * Where a program has no network of its own, a port that it was given may be somebody else's, another instance's for instance: it gets one that
 * is free, and is told so by PORT.
 */
export async function onFreePort(spec: SandboxSpec): Promise<SandboxSpec> {
  const { web, environment } = spec;
  if (!web) return spec;
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return { ...spec, web: { ...web, port, readiness: { ...web.readiness, port } }, environment: { ...environment, PORT: String(port) } };
}
