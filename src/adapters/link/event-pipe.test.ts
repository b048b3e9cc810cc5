import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { EventPipe, LinkedInstance, linkFd } from './mod.ts';
import { systemClock } from '../../kernel/mod.ts';
import type { InvocationEnd } from '../../ports/mod.ts';
import { FRAME, FRAME_HEAD_BYTES, encodeFrame } from '../../protocol/mod.ts';

// The pipe is made by node:ffi, for Linux.
const skip = process.platform === 'linux' ? false : 'the pipe needs Linux';
const { packetPipe, socketPair } = skip ? ({} as never) : await import('../../../runtimes/ladder/messages.ts');

function opened(t: TestContext) {
  const [reading, writing] = packetPipe();
  const pipe = new EventPipe(writing);
  const buffer = Buffer.alloc(1024 * 1024);
  let open = true;
  const stopReading = () => {
    if (open) closeSync(reading);
    open = false;
  };
  closeAfter(t, () => {
    pipe.close();
    stopReading();
  });
  const read = () => buffer.toString('latin1', 0, readSync(reading, buffer, 0, buffer.length, null));
  const write = (text: string) => pipe.write(Buffer.from(text), text.length);
  return { pipe, reading, read, write, stopReading };
}

test('each small frame is read by itself, and what was not read can be taken back', { skip }, (t) => {
  const { pipe, read, write } = opened(t);
  for (const text of ['the first', 'the second', 'the third']) write(text);
  assert.equal(read(), 'the first');
  assert.deepEqual(pipe.take().map(String), ['the second', 'the third']);
  assert.deepEqual(pipe.take(), []);
  write('four');
  assert.equal(read(), 'four');
});

test('what the other end has written into it is no frame where it is too short', { skip }, (t) => {
  const { pipe, reading, write } = opened(t);
  const other = openSync(`/proc/self/fd/${reading}`, 'w');
  closeAfter(t, () => closeSync(other));
  write("the host's own");
  writeSync(other, 'x');
  assert.deepEqual(pipe.take().map(String), ["the host's own"]);
});

test('a frame larger than a packet, or than the pipe, arrives whole, and those after it behind it', { skip }, async (t) => {
  const { pipe, read, write } = opened(t);
  const large = 'x'.repeat(300_000);
  write(large);
  assert.equal(pipe.writePacket(Buffer.from('small'), 5), false);
  write('small');
  let text = '';
  while (text.length < large.length + 5) {
    text += read();
    await new Promise(setImmediate);
  }
  assert.equal(text, `${large}small`);
});

test('a full pipe takes no packet; without a reader writing does nothing, and what is in it can still be taken', { skip }, (t) => {
  const { pipe, write, stopReading } = opened(t);
  const bytes = Buffer.alloc(4_000, 'y');
  let taken = 0;
  while (pipe.writePacket(bytes, bytes.length)) taken++;
  assert.ok(taken > 4, `${taken} packets`);
  stopReading();
  write('nobody reads this');
  assert.equal(pipe.take().length, taken);
  pipe.close();
  assert.deepEqual(pipe.take(), []);
  assert.equal(pipe.writePacket(bytes, 1), false);
});

/** An instance whose process is this test. */
function linked(t: TestContext) {
  const { pipe, read } = opened(t);
  const [near, far] = socketPair();
  const instance = new LinkedInstance({ link: linkFd(near, pipe), start: 'fork', clock: systemClock, end() {}, reportsExit: false });
  const ends: string[] = [];
  const told = new Map<string, () => void>();
  const listener = (name: string) => ({
    log() {},
    streamHead() {},
    streamChunk() {},
    end(end: InvocationEnd) {
      ends.push(`${name} ${end.kind}`);
      told.get(name)?.();
    },
  });
  const process = linkFd(far);
  closeAfter(t, () => {
    process.destroy();
    instance.kill();
  });
  const head = { id: 'id', deadlineMs: 1, arn: 'arn' };
  return {
    instance,
    ends,
    process,
    invoke: (name: string, event = '{}') => instance.invoke(head, event, listener(name)),
    handAhead: (name: string, event = '{}') => instance.handAhead!(head, event, listener(name)),
    /** The stream of the frame that the process reads next. */
    readFrame: () => Buffer.from(read(), 'latin1').readUInt32LE(5),
    async answer(stream: number, name: string) {
      const heard = new Promise<void>((resolve) => told.set(name, resolve));
      const frame = encodeFrame(FRAME.response, stream, Buffer.from('\0\0\0\0null', 'latin1'));
      assert.ok(frame.length > FRAME_HEAD_BYTES);
      process.write(frame, frame.length);
      await heard;
    },
  };
}

test('what was handed ahead begins in its turn; what has not begun comes back, the last first', { skip }, async (t) => {
  const { instance, ends, invoke, handAhead, readFrame, answer } = linked(t);
  assert.equal(handAhead('too early'), undefined);
  invoke('a');
  for (const name of ['b', 'c', 'd']) assert.ok(handAhead(name));
  const a = readFrame();
  await answer(a, 'a');
  const b = readFrame();
  instance.recall!();
  assert.deepEqual(ends, ['a answered', 'd notBegun', 'c notBegun']);
  await answer(b, 'b');
  assert.deepEqual(ends.slice(3), ['b answered']);
});

test('one whose turn has come stays, also when the process has not read it yet', { skip }, async (t) => {
  const { instance, ends, invoke, handAhead, readFrame, answer } = linked(t);
  invoke('a');
  handAhead('b');
  handAhead('c');
  await answer(readFrame(), 'a');
  instance.recall!();
  assert.deepEqual(ends, ['a answered', 'c notBegun']);
  await answer(readFrame(), 'b');
});

test('when the process ends, what it has begun ends with it, and the rest comes back', { skip }, async (t) => {
  const { instance, ends, invoke, handAhead, readFrame, answer, process } = linked(t);
  invoke('a');
  handAhead('b');
  handAhead('c');
  handAhead('d');
  await answer(readFrame(), 'a');
  readFrame();
  process.destroy();
  await instance.closed;
  assert.deepEqual(ends, ['a answered', 'd notBegun', 'c notBegun', 'b died']);
});

test('an instance that is killed gives back at once what it has not begun', { skip }, (t) => {
  const { instance, ends, invoke, handAhead } = linked(t);
  invoke('a');
  handAhead('b');
  instance.kill();
  assert.deepEqual(ends, ['b notBegun']);
  assert.equal(handAhead('c'), undefined);
});

test('an answer before its turn breaks the protocol', { skip }, async (t) => {
  const { instance, ends, invoke, handAhead, readFrame, answer } = linked(t);
  invoke('a');
  handAhead('b');
  readFrame();
  await answer(readFrame(), 'b');
  assert.equal((await instance.closed).kind, 'violated');
  assert.deepEqual(ends.toSorted(), ['a died', 'b died']);
});

test('behind a large event nothing is handed ahead, nor is a large event', { skip }, (t) => {
  const large = JSON.stringify('x'.repeat(10_000));
  const one = linked(t);
  one.invoke('a', large);
  assert.equal(one.handAhead('b'), undefined);
  const two = linked(t);
  two.invoke('a');
  assert.equal(two.handAhead('b', large), undefined);
});
