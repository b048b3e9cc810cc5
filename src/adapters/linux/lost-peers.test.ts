/** What somebody has sent before it went is heard, also by who has something to send to it meanwhile. */
import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import type { Record } from '../../../runtimes/ladder/messages.ts';
import type { InvocationEnd } from '../../ports/mod.ts';
import { FRAME, encodeFrame } from '../../protocol/mod.ts';
import { systemClock } from '../../kernel/mod.ts';
import { LinkedInstance, linkFd } from '../link/mod.ts';
import { skip } from './templates.testing.ts';

test('an answer of an instance that has ended since is heard although it is sent the next invocation', { skip }, async () => {
  const { socketPair } = await import('../../../runtimes/ladder/messages.ts');
  const [near, far] = socketPair();
  const instance = new LinkedInstance({ link: linkFd(near), start: 'fork', clock: systemClock, end() {}, reportsExit: false });
  const invoke = () =>
    new Promise<InvocationEnd['kind']>((resolve) => {
      const end = ({ kind }: InvocationEnd) => resolve(kind);
      instance.invoke({ id: 'id', deadlineMs: 1, arn: 'arn' }, Buffer.from('{}'), { log() {}, streamHead() {}, streamChunk() {}, end });
    });
  const first = invoke();
  writeSync(far, encodeFrame(FRAME.response, 1, Buffer.alloc(4), Buffer.from('1')));
  closeSync(far);
  const second = invoke();
  assert.deepEqual([await first, await second], ['answered', 'died']);
});

test('an answer of a program that has ended since is heard although its end is known already', { skip }, async () => {
  const { Socket } = await import('node:net');
  const { ProgramInstance, serveConnection } = await import('../execution/mod.ts');
  const { socketPair } = await import('../../../runtimes/ladder/messages.ts');
  const [near, far] = socketPair();
  const program = new ProgramInstance({ start: 'boot', clock: systemClock, end() {}, memoryKiB: () => 0, flush() {} });
  serveConnection(new Socket({ fd: near, readable: true, writable: true }), (request, response) => program.handle(request, response));
  const say = (call: string, body = '') =>
    writeSync(far, `${call} HTTP/1.1\r\nhost: inside\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  say('GET /2018-06-01/runtime/invocation/next');
  await program.ready;
  const end = new Promise<InvocationEnd>((resolve) => {
    const listener = { log() {}, streamHead() {}, streamChunk() {}, end: resolve };
    program.invoke({ id: 'id', deadlineMs: 1, arn: 'arn' }, Buffer.from('{}'), listener);
  });
  say('POST /2018-06-01/runtime/invocation/id/response', '42');
  closeSync(far);
  program.reportExit({ kind: 'exited', code: 0 });
  assert.equal(program.alive, false);
  assert.deepEqual(await end, { kind: 'answered', payload: Buffer.from('42'), memoryKiB: 0 });
  assert.deepEqual(await program.closed, { kind: 'exited', code: 0 });
});

test('records of a keeper that has ended since are heard although it is sent an order', { skip }, async () => {
  const { Control } = await import('./control.ts');
  const { sendRecord } = await import('../../../runtimes/ladder/messages.ts');
  const { RECORD } = await import('../../../runtimes/ladder/orders.ts');
  const heard: Record['kind'][] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const control = new Control({ onRecord: ({ kind }) => heard.push(kind), onClosed: resolve });
  sendRecord(control.far, RECORD.templateEnded);
  closeSync(control.far);
  control.send({ do: 'start' });
  await closed;
  assert.deepEqual(heard, [RECORD.templateEnded]);
});
