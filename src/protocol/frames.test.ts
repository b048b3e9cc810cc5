import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FRAME, FRAME_HEAD_BYTES, FrameDecoder, FrameError, InvokeEncoder, encodeFrame } from './mod.ts';
import type { FrameKind } from './mod.ts';

type Frame = { readonly kind: FrameKind; readonly stream: number; readonly payload: Buffer };

const frames = fc.array(
  fc.record(
    {
      kind: fc.constantFrom(...Object.values(FRAME)),
      stream: fc.nat(0xffff_ffff),
      payload: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    },
    { noNullPrototype: true },
  ),
  { maxLength: 8 },
);

/** What comes out when `bytes` are pushed in pieces that end at `cuts`. */
function decode(bytes: Buffer, cuts: readonly number[], maxPayloadBytes = 1024): Frame[] {
  const out: Frame[] = [];
  const decoder = new FrameDecoder(maxPayloadBytes, (kind, stream, payload) => out.push({ kind, stream, payload: Buffer.from(payload) }));
  let from = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    // A copy that is spoilt afterwards: nothing may be kept of what was pushed.
    const piece = Buffer.from(bytes.subarray(from, cut));
    decoder.push(piece);
    piece.fill(0xee);
    from = cut;
  }
  return out;
}

const encodeAll = (given: readonly Frame[]) => Buffer.concat(given.map(({ kind, stream, payload }) => encodeFrame(kind, stream, payload)));

test('frames come out as they went in, torn anywhere', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(600), { maxLength: 12 }), (given, cuts) => {
      const bytes = encodeAll(given);
      assert.deepEqual(
        decode(
          bytes,
          cuts.map((cut) => cut % (bytes.length + 1)),
        ),
        given,
      );
    }),
  );
});

test('frames come out as they went in, torn at every single byte', () => {
  const given = [
    { kind: FRAME.log, stream: 0, payload: Buffer.from('\x02hello') },
    { kind: FRAME.response, stream: 0xffff_ffff, payload: Buffer.alloc(0) },
    { kind: FRAME.streamChunk, stream: 7, payload: Buffer.alloc(300, 1) },
  ];
  const bytes = encodeAll(given);
  for (let cut = 0; cut <= bytes.length; cut++) assert.deepEqual(decode(bytes, [cut]), given);
  assert.deepEqual(
    decode(
      bytes,
      Array.from(bytes, (_, i) => i),
    ),
    given,
  );
});

test('a frame that is too long or of an unknown kind is refused as soon as its head is there', () => {
  const long = encodeFrame(FRAME.log, 0, Buffer.alloc(1025)).subarray(0, FRAME_HEAD_BYTES);
  const unknown = Buffer.from([0, 0, 0, 0, 0x99, 0, 0, 0, 0]);
  for (let cut = 0; cut <= FRAME_HEAD_BYTES; cut++) {
    assert.throws(() => decode(long, [cut]), FrameError);
    assert.throws(() => decode(unknown, [cut]), FrameError);
  }
});

test('random bytes are frames or a FrameError, whole or torn alike', () => {
  const outcome = (bytes: Buffer, cuts: readonly number[]) => {
    try {
      return decode(bytes, cuts);
    } catch (error) {
      assert.ok(error instanceof FrameError, String(error));
      return 'refused';
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200), { maxLength: 6 }), (random, cuts) => {
      // Half of them begin plausibly, or nearly all would be refused at their first head.
      const bytes = random.length % 2 === 0 ? Buffer.from(random) : Buffer.concat([encodeFrame(FRAME.log, 1, random), Buffer.from(random)]);
      const whole = outcome(bytes, []);
      const torn = outcome(
        bytes,
        cuts.map((cut) => Math.min(cut, bytes.length)),
      );
      assert.deepEqual(torn, whole);
    }),
  );
});

const encoder = new InvokeEncoder();

test('an invocation carries its head and its event', () => {
  fc.assert(
    fc.property(fc.string(), fc.json(), fc.boolean(), fc.boolean(), (id, json, asText, large) => {
      const head = { id, deadlineMs: 1, arn: 'ä' };
      const event = large ? `["${'ü'.repeat(30_000)}",${json}]` : json;
      encoder.encode(5, head, asText ? event : Buffer.from(event));
      const [frame] = decode(encoder.frame.subarray(0, encoder.length), [], 1_000_000);
      const headLength = frame!.payload.readUInt32LE(0);
      assert.equal(frame!.kind, FRAME.invoke);
      assert.equal(frame!.stream, 5);
      assert.deepEqual(JSON.parse(frame!.payload.toString('utf8', 4, 4 + headLength)), head);
      assert.equal(frame!.payload.toString('utf8', 4 + headLength), event);
    }),
  );
});
