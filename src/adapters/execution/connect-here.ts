import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** To a port of this host's loopback, where what runs inside has no network of its own. */
export async function connectHere(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
