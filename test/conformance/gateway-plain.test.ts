/** What is served right on the connection, what is left to node:http, and the way from the one to the other. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { HOST, answer, raw, start } from './gateway-setup.testing.ts';
import type { Call, Setup } from './gateway-setup.testing.ts';

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${more}\r\n`;
const post = (path: string, body: string) => `POST ${path} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const CHUNKED = `POST /chunked HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;

/** Says who was asked for what. */
const echo = (call: Call) => {
  const { rawPath, body = '', isBase64Encoded } = call.event;
  answer(call, { statusCode: 200, body: `<${rawPath} ${isBase64Encoded ? Buffer.from(body, 'base64').toString() : body}>` });
};

async function opened(t: TestContext, setup: Setup) {
  const server = await start(t, setup);
  return { ...server, client: await raw(t, server.port) };
}

test('one connection serves all kinds of requests in turn, and each whole', async (t) => {
  const { client } = await opened(t, { function: echo });
  const steps: readonly (readonly [string[], string])[] = [
    [[get('/1')], '</1 >'],
    [[post('/2', 'body')], '</2 body>'],
    // Its body comes later, in pieces.
    [[post('/3', 'in pieces').slice(0, -6), 'pie', 'ces'], '</3 in pieces>'],
    [[CHUNKED], '</chunked abc>'],
    [[get('/4')], '</4 >'],
    [[get('/5', 'X: y\r\n').slice(0, 20), get('/5', 'X: y\r\n').slice(20)], '</5 >'],
  ];
  for (const [pieces, expected] of steps) {
    for (const piece of pieces) {
      client.socket.write(piece);
      // Each is read by itself.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await client.until((text) => text.endsWith(expected));
  }
});

for (const [what, first] of [
  ['plain requests', get('/first')],
  ['a request that is not plain', CHUNKED],
] as const) {
  test(`requests sent ahead are answered in order, behind ${what}`, async (t) => {
    const held: Call[] = [];
    const { client } = await opened(t, { function: (call) => void held.push(call) });
    client.socket.write(first);
    while (held.length < 1) await new Promise(setImmediate);
    client.socket.write(get('/second') + post('/third', 'x') + get('/fourth'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let n = 0; n < 4; n++) {
      while (held.length <= n) await new Promise(setImmediate);
      echo(held[n]!);
    }
    const text = await client.until((all) => all.includes('</fourth'));
    const bodies = [...text.matchAll(/<\/(\w+)/g)].map(([, name]) => name);
    assert.deepEqual(bodies, [first === CHUNKED ? 'chunked' : 'first', 'second', 'third', 'fourth']);
  });
}

test('an answer has its status, a date, a length and the bytes that were meant', async (t) => {
  const answers: Readonly<Record<string, object>> = {
    '/text': { statusCode: 201, headers: { 'X-Latin': 'é', Connection: 'close' }, cookies: ['a=b', 'c=d'], body: 'naïve ☕' },
    '/binary': { statusCode: 200, body: Buffer.from([0, 255, 10]).toString('base64'), isBase64Encoded: true },
    '/none': { statusCode: 204, body: 'not sent' },
    '/dated': { statusCode: 299, headers: { date: 'yesterday' }, body: '' },
  };
  const { client } = await opened(t, { function: (call) => answer(call, answers[call.event.rawPath]) });
  let seen = 0;
  const ask = async (path: string, ending: string) => {
    client.socket.write(get(path));
    const all = await client.until((text) => text.slice(seen).includes('\r\n\r\n') && text.endsWith(ending));
    const text = all.slice(seen);
    seen = all.length;
    const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
    return { lines: head.split('\r\n'), body };
  };
  const coffee = Buffer.from('naïve ☕').toString('latin1');
  const text = await ask('/text', coffee);
  assert.equal(text.lines[0], 'HTTP/1.1 201 Created');
  assert.ok(text.lines.includes('x-latin: é'));
  assert.deepEqual(
    text.lines.filter((line) => line.startsWith('set-cookie')),
    ['set-cookie: a=b', 'set-cookie: c=d'],
  );
  assert.ok(text.lines.includes(`content-length: ${coffee.length}`));
  assert.equal(text.lines.filter((line) => /^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(line)).length, 1);
  assert.deepEqual(
    text.lines.filter((line) => /^(connection|keep-alive)/i.test(line)),
    ['Connection: keep-alive', 'Keep-Alive: timeout=65'],
  );
  assert.equal((await ask('/binary', '\0\xff\n')).body, '\0\xff\n');
  const none = await ask('/none', '\r\n\r\n');
  assert.equal(none.lines[0], 'HTTP/1.1 204 No Content');
  assert.ok(!none.lines.some((line) => line.startsWith('content-length')));
  const dated = await ask('/dated', '\r\n\r\n');
  assert.deepEqual([dated.lines[0], dated.lines.filter((line) => /^date/i.test(line))], ['HTTP/1.1 299 unknown', ['date: yesterday']]);
});

test('a connection that rests too long is ended, and not before', async (t) => {
  const { client } = await opened(t, { function: echo, limits: { keepAliveTimeoutMs: 3_000 } });
  for (const path of ['/1', '/2']) {
    client.socket.write(get(path));
    await client.until((text) => text.endsWith(`<${path} >`));
  }
  await client.untilClosed();
});

test('a client that goes away is noticed while its function runs', async (t) => {
  const held: Call[] = [];
  const { client } = await opened(t, { function: (call) => void held.push(call) });
  client.socket.write(get('/'));
  while (held.length < 1) await new Promise(setImmediate);
  client.socket.destroy();
  while (!held[0]!.did.includes('abandon')) await new Promise(setImmediate);
  echo(held[0]!);
});

test('when the server stops, resting connections end at once, others with their answer, and say so', async (t) => {
  const held: Call[] = [];
  const server = await start(t, { function: (call) => void held.push(call) });
  const resting = await raw(t, server.port);
  resting.socket.write(get('/'));
  while (held.length < 1) await new Promise(setImmediate);
  echo(held[0]!);
  await resting.until((text) => text.endsWith('</ >'));
  const running = await raw(t, server.port);
  running.socket.write(get('/running'));
  while (held.length < 2) await new Promise(setImmediate);
  server.stop();
  await resting.untilClosed();
  echo(held[1]!);
  assert.match(await running.untilClosed(), /\r\nConnection: close\r\n\r\n<\/running >$/);
});

test('whoever does not read is cut off when the server has waited long enough', async (t) => {
  const server = await start(t, { function: (call) => answer(call, { statusCode: 200, body: 'x'.repeat(6_000_000) }) });
  const client = await raw(t, server.port);
  client.socket.pause();
  client.socket.write(get('/'));
  while (server.calls.length < 1) await new Promise(setImmediate);
  const closed = once(client.socket, 'close');
  await server.close(50);
  client.socket.resume();
  await closed;
});
