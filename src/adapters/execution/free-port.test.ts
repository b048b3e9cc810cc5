import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { freePort } from './free-port.ts';

/** Of Linux; those of others begin later. */
const FIRST_OF_CONNECTIONS = 32_768;

test('a port is given to one program, and is none that a connection gets or somebody listens at', async (t) => {
  const first = await freePort();
  const server = createServer();
  await once(server.listen(first + 1, '127.0.0.1'), 'listening').catch(() => {
    // Somebody else does already.
  });
  closeAfter(t, () => new Promise((resolve) => server.close(resolve)));
  const ports = [first, ...(await Promise.all([freePort(), freePort(), freePort()]))];
  assert.equal(new Set(ports).size, 4);
  assert.ok(!ports.includes(first + 1));
  assert.ok(ports.every((port) => port < FIRST_OF_CONNECTIONS));
});
