import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { closeAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { Channel, HEAD_BYTES, KIND, MAX_PAYLOAD_BYTES } from '../../runtimes/node/channel.ts';
import { LEVELS, MAX_LOG_BYTES } from '../../runtimes/node/console.ts';
import { LIMITS } from '../../src/kernel/mod.ts';
import { FRAME, FRAME_HEAD_BYTES, FrameDecoder, LOG_LEVELS, encodeFrame } from '../../src/protocol/mod.ts';
import type { FrameKind } from '../../src/protocol/mod.ts';

test('the runtime and the host agree on the protocol', () => {
  assert.deepEqual(KIND, FRAME);
  assert.deepEqual(LEVELS, LOG_LEVELS);
  assert.equal(HEAD_BYTES, FRAME_HEAD_BYTES);
  assert.equal(MAX_PAYLOAD_BYTES, LIMITS.frameBytes);
  assert.ok(MAX_LOG_BYTES < LIMITS.logLineBytes);
});

function scratch(t: TestContext): string {
  const directory = temporaryDirectory(t);
  return join(directory, 'bytes');
}

type Frame = { readonly kind: number; readonly stream: number; readonly text: string };

const frames = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.values(FRAME)),
    stream: fc.nat(0xffff_ffff),
    // Some are larger than the channel's buffer.
    text: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.nat(200_000).map((length) => 'é'.repeat(length)),
    ),
  }),
  { maxLength: 6 },
);

const encode = (given: readonly Frame[]) =>
  Buffer.concat(given.map(({ kind, stream, text }) => encodeFrame(kind as FrameKind, stream, Buffer.from(text))));
const clean = (given: readonly Frame[]) => given.map((frame) => ({ ...frame, text: Buffer.from(frame.text).toString() }));

test('a channel reads the frames that were written, one after the other', (t) => {
  const path = scratch(t);
  fc.assert(
    fc.property(frames, (given) => {
      writeFileSync(path, encode(given));
      const fd = openSync(path, 'r');
      try {
        const channel = new Channel(fd);
        const read: Frame[] = [];
        while (channel.read()) read.push({ kind: channel.kind, stream: channel.stream, text: channel.text(channel.from, channel.to) });
        assert.deepEqual(read, clean(given));
      } finally {
        closeSync(fd);
      }
    }),
    { numRuns: 50 },
  );
});

test('a channel that is fed piece by piece finds the same frames', () => {
  fc.assert(
    fc.property(
      frames,
      fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1_000, max: 70_000 })), { minLength: 2, maxLength: 20 }),
      (given, sizes) => {
        const bytes = encode(given);
        const channel = new Channel(-1);
        const read: Frame[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          // Not only small pieces, or it takes for ever.
          const end = Math.min(bytes.length, at + (i % 50 === 0 ? 40_000 : sizes[i % sizes.length]!));
          channel.feed(bytes.subarray(at, end));
          at = end;
          while (channel.next()) read.push({ kind: channel.kind, stream: channel.stream, text: channel.text(channel.from, channel.to) });
        }
        assert.deepEqual(read, clean(given));
      },
    ),
    { numRuns: 50 },
  );
});

test('a channel refuses a frame over the limit, and ends at a torn one', (t) => {
  const path = scratch(t);
  const head = encodeFrame(FRAME.log, 0);
  head.writeUInt32LE(MAX_PAYLOAD_BYTES + 1, 0);
  writeFileSync(path, head);
  const long = new Channel(openSync(path, 'r'));
  closeAfter(t, () => closeSync(long.fd));
  assert.throws(() => long.read(), /over the limit/);
  writeFileSync(path, encodeFrame(FRAME.log, 0, Buffer.alloc(100)).subarray(0, 50));
  const torn = new Channel(openSync(path, 'r'));
  closeAfter(t, () => closeSync(torn.fd));
  assert.equal(torn.read(), false);
});

test('what a channel sends the host can decode', (t) => {
  const path = scratch(t);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.nat(100_000).map((length) => '€'.repeat(length)),
      ),
      fc.nat(0xffff_ffff),
      (text, stream) => {
        const fd = openSync(path, 'w');
        const channel = new Channel(fd);
        channel.sendText(KIND.response, stream, 4, 0xdead_beef, text);
        channel.sendText(KIND.log, 0, 1, 3, text);
        channel.sendText(KIND.exit, 0, 0, 0, '');
        channel.sendBytes(KIND.streamChunk, stream, Buffer.from(text));
        closeSync(fd);
        const out: [number, number, Buffer][] = [];
        new FrameDecoder(LIMITS.frameBytes, (kind, id, payload) => out.push([kind, id, Buffer.from(payload)])).push(readFileSync(path));
        const bytes = Buffer.from(text);
        assert.deepEqual(out, [
          [KIND.response, stream, Buffer.concat([Buffer.from([0xef, 0xbe, 0xad, 0xde]), bytes])],
          [KIND.log, 0, Buffer.concat([Buffer.from([3]), bytes])],
          [KIND.exit, 0, Buffer.alloc(0)],
          [KIND.streamChunk, stream, bytes],
        ]);
      },
    ),
    { numRuns: 50 },
  );
});
