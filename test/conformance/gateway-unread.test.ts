/** Clients that don't read their answers, and what that costs the host. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../closing.ts';
import { HOST, answer, start } from './gateway-setup.testing.ts';
import type { Call } from './gateway-setup.testing.ts';

const BYTES = 5 * 1024 * 1024;
const large = (call: Call): void => answer(call, { statusCode: 200, body: 'x'.repeat(BYTES) });
/** Read on the connection itself, and by node:http. */
const PLAIN = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const OTHER = `GET / HTTP/1.1\r\nHost: ${HOST}\r\nTE: trailers\r\n\r\n`;

async function open(t: TestContext, port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  closeAfter(t, () => socket.destroy());
  // Cut off in the middle of an answer.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.pause();
  socket.write(bytes);
  return socket;
}

/** Resolves with what came, once the other side has ended the connection. */
async function drain(socket: Socket): Promise<number> {
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
  socket.resume();
  while (!socket.closed) await new Promise((resolve) => setTimeout(resolve, 20));
  return bytes;
}

for (const [what, request] of [
  ['read on the connection', PLAIN],
  ['by node:http', OTHER],
] as const) {
  test(`whoever reads nothing of an answer is sent away, ${what}`, async (t) => {
    const { port, calls } = await start(t, { function: large, limits: { stalledReaderMs: 100 } });
    const socket = await open(t, port, request);
    while (calls.length < 1) await new Promise(setImmediate);
    const before = ends();
    while (ends() >= before) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok((await drain(socket)) < BYTES);
  });

  test(`whoever reads, however slowly, gets it all, ${what}`, async (t) => {
    const { port } = await start(t, { function: large, limits: { stalledReaderMs: 3_000 } });
    const socket = await open(t, port, request);
    const came = { bytes: 0, chunks: 0 };
    socket.on('data', (chunk: Buffer) => {
      came.bytes += chunk.length;
      // The first answer takes longer than nothing may be read, the second does not.
      if (++came.chunks % 4 !== 0 || came.bytes > BYTES) return;
      socket.pause();
      setTimeout(() => socket.resume(), 250);
    });
    socket.resume();
    while (came.bytes < BYTES) await new Promise((resolve) => setTimeout(resolve, 20));
    // It is still of use after that.
    socket.write(request);
    while (came.bytes < 2 * BYTES) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test(`when all together leave too much unread, those that do so longest are sent away, ${what}`, async (t) => {
    const { port, calls } = await start(t, { function: large, limits: { unreadBytes: 5 * BYTES } });
    // One after the other: the first of them is the slowest.
    const first: Socket[] = [];
    while (first.length < 4) {
      first.push(await open(t, port, request));
      while (calls.length < first.length) await new Promise(setImmediate);
    }
    // They have been looked at once by then.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await Promise.all(Array.from({ length: 4 }, () => open(t, port, request)));
    while (calls.length < 8) await new Promise(setImmediate);
    const before = ends();
    while (ends() >= before) await new Promise((resolve) => setTimeout(resolve, 20));
    const [cut] = await Promise.all(first.slice(0, 1).map(drain));
    assert.ok(cut! < BYTES);
  });
}

test('of requests sent ahead by one client a few are served at a time, and too many end the connection', async (t) => {
  const held: Call[] = [];
  const { port, calls } = await start(t, { function: (call) => void held.push(call) });
  const socket = await open(t, port, OTHER.repeat(100));
  while (calls.length < 9) await new Promise(setImmediate);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(calls.length, 9, 'the one that is answered next, and eight more');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.resume();
  for (let i = 0; i < 100; i++) {
    while (held.length === 0) await new Promise(setImmediate);
    answer(held.shift()!, { i });
  }
  while (!text.includes('{"i":99}')) await new Promise(setImmediate);
  assert.deepEqual(
    [...text.matchAll(/\{"i":(\d+)\}/g)].map((match) => Number(match[1])),
    Array.from({ length: 100 }, (_, i) => i),
  );

  const flood = await open(t, port, OTHER.repeat(1_000));
  await drain(flood);
});

test('a stream on which nothing comes for long is no slow reader', async (t) => {
  const { port } = await start(t, {
    function: ({ listener }) => {
      listener.streamHead?.({ contentType: 'text/plain' });
      listener.streamChunk?.(Buffer.alloc(BYTES, 'x'));
      setTimeout(() => {
        listener.streamChunk?.(Buffer.from('the end'));
        listener.end({ kind: 'streamed' });
      }, 5_000);
    },
    route: { invokeMode: 'RESPONSE_STREAM' },
    limits: { stalledReaderMs: 2_000 },
  });
  const socket = await open(t, port, OTHER);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text = `${text.slice(-100)}${chunk.toString('latin1')}`));
  socket.resume();
  while (!text.includes('the end')) {
    assert.ok(!socket.destroyed);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

/** Ends of connections in this process, which has both of each. */
const ends = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
