import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { SandboxSpec } from '../../ports/mod.ts';

/** Below those that kernels give to connections by themselves: one of those could be a connection's before the program listens. */
const FIRST = 20_000;
const COUNT = 12_768;
/** From somewhere on, one after the other: what was given is given to nobody else for a while. */
let next = randomInt(COUNT);

/**
 * Where a program has no network of its own, a port that it was given may be somebody else's, another instance's for instance: it gets one that
 * is free, and is told so by PORT.
 */
export async function onFreePort(spec: SandboxSpec): Promise<SandboxSpec> {
  const { web, environment } = spec;
  if (!web) return spec;
  const port = await freePort();
  return { ...spec, web: { ...web, port, readiness: { ...web.readiness, port } }, environment: { ...environment, PORT: String(port) } };
}

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + (next++ % COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error('no port is free');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen({ port, host: '127.0.0.1', exclusive: true }), 'listening');
  } catch {
    // Somebody has it.
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
