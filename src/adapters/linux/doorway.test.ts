import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readdirSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { systemClock } from '../../kernel/mod.ts';
import { DEFAULT_NETWORK, parseNetwork } from '../../protocol/mod.ts';
import type { Endpoint } from '../../protocol/mod.ts';
import { listenersOf } from './doorway.ts';
import { openTemplates, skip, valueOf } from './templates.testing.ts';

const PROXY = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:4566', NO_PROXY: 'localhost' };

/** Answers whatever comes out of the sandboxes. */
function answering(t: TestContext): { readonly connected: (connection: Socket) => void; readonly asked: string[] } {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    response.end('answered');
  });
  closeAfter(t, () => server.closeAllConnections());
  return { connected: (connection) => void server.emit('connection', connection), asked };
}

test('a connection that init has left open keeps its instances from being forked', { skip }, async (t) => {
  const { connected, asked } = answering(t);
  const { boot } = await openTemplates(t, systemClock, { connected });
  const code = (what: string) => `${what}; export const handler = async () => (await fetch('http://later.test/')).text();`;
  const network = DEFAULT_NETWORK;
  const kept = await boot(code(`await (await fetch('http://init.test/')).text()`), { network, environment: PROXY });
  assert.ok(
    kept.blockers.some(({ kind }) => kind === 'socket'),
    JSON.stringify(kept.blockers),
  );
  assert.equal(await valueOf(kept.fork()), 'answered');
  const none = await boot(code('0'), { network, environment: PROXY });
  assert.deepEqual(none.blockers, []);
  assert.equal(await valueOf(none.fork()), 'answered');
  assert.deepEqual(asked, ['http://init.test/', 'http://later.test/', 'http://later.test/']);
});

test('endpoints are listened at before init, at all ports, and what is said there comes out as theirs', { skip }, async (t) => {
  const heard: string[] = [];
  const connected = (connection: Socket, _: unknown, endpoint: Endpoint | undefined) => {
    heard.push(`${endpoint?.host}:${endpoint?.port}`);
    connection.end('hello');
  };
  const { boot } = await openTemplates(t, systemClock, { connected });
  const network = parseNetwork('tcp:one.test:80 tcp:two.test:80 tcp:one.test:5432 tcp:10.9.8.7:443');
  const code = `
import { connect } from 'node:net';
const say = (host, port) => new Promise((resolve) => {
  let text = '';
  connect(port, host).setEncoding('utf8').on('data', (chunk) => (text += chunk)).on('close', () => resolve(text)).on('error', (error) => (text = error.code));
});
const atInit = await say('one.test', 80);
export const handler = async () => [atInit, await say('two.test', 80), await say('one.test', 5432), await say('10.9.8.7', 443), await say('two.test', 5432)];`;
  const template = await boot(code, { network });
  assert.deepEqual(await valueOf(template.fork()), ['hello', 'hello', 'hello', 'hello', 'ECONNREFUSED']);
  assert.deepEqual(heard, ['one.test:80', 'two.test:80', 'one.test:5432', '10.9.8.7:443']);
});

test('sandboxes give back what they had of the network, whatever they were granted', { skip }, async (t) => {
  const { boot } = await openTemplates(t);
  const code = `
import { connect } from 'node:net';
export const handler = () => new Promise((resolve) => connect(4566, '127.0.0.1').on('close', resolve).on('error', () => {}));`;
  const turn = async (n: number) => {
    const network = parseNetwork([undefined, 'none', 'host', 'tcp:db.test:5432 a.test'][n % 4]);
    const template = await boot(code, { network });
    const instance = template.fork();
    await valueOf(instance);
    instance.kill();
    await instance.closed;
    template.close();
    await template.closed;
  };
  for (let n = 0; n < 8; n++) await turn(n);
  const before = openSockets();
  for (let n = 0; n < 40; n++) await turn(n);
  // A blank one or two are made ahead at any time, and what was closed by the other side may not have been heard of.
  for (let rounds = 0; openSockets() > before + 8; rounds++) {
    assert.ok(rounds < 6_000, `${openSockets()} sockets, and ${before} before`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      // It was the descriptor of the listing itself.
      return false;
    }
  }).length;
}

test('each name has an address of its own inside, and addresses stay what they are', () => {
  assert.deepEqual(listenersOf(parseNetwork('tcp:a:1 tcp:b:1 tcp:a:2 tcp:localhost:3 tcp:10.0.0.5:4')), [
    { address: '127.1.0.1', port: 1, name: 'a' },
    { address: '127.1.0.2', port: 1, name: 'b' },
    { address: '127.1.0.1', port: 2, name: 'a' },
    { address: '127.0.0.1', port: 3 },
    { address: '10.0.0.5', port: 4 },
  ]);
  assert.deepEqual(listenersOf({ kind: 'none' }), []);
});
