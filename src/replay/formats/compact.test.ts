import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileOf, read } from './formats.testing.ts';
import { readTrace } from './read-trace.ts';

const FUNCTION = {
  id: 'f',
  app: 'a',
  owner: 'o',
  trigger: 'timer',
  avgMs: 10,
  p50Ms: 9,
  p99Ms: 20,
  maxMs: 30,
  memMb: 64,
  counts: [
    [0, 1],
    [9, 2],
  ],
};
const document = (more: object = {}, root: object = {}) => JSON.stringify({ minutes: 10, functions: [{ ...FUNCTION, ...more }], ...root });
const refused = (text: string, message: RegExp) => assert.rejects(read({ 't.json': text }), { code: 'TraceInvalid', message });

test('a document is read with all it says, and what it does not say is assumed and counted', async () => {
  const { trace, warnings, format } = await read({ 't.json': ` \n${document({ initMs: 5, schedule: { periodMs: 60_000 } })}` });
  assert.deepEqual([format, warnings], ['compact', []]);
  assert.deepEqual(trace.functions, [
    {
      ...{ id: 'f', app: 'a', owner: 'o', trigger: 'timer', durationMs: { average: 10, p50: 9, p99: 20, max: 30 } },
      ...{
        memoryMiB: 64,
        initMs: 5,
        counts: [
          [0, 1],
          [9, 2],
        ],
        schedule: { periodMs: 60_000, phaseMs: 0, jitterMs: 0 },
      },
    },
  ]);
  const bare = await read({
    't.json': JSON.stringify({
      minutes: 1,
      functions: [
        { id: 'f', counts: [[0, 1]] },
        { id: 'g', counts: [] },
      ],
    }),
  });
  assert.deepEqual(bare.trace.functions, [
    { id: 'f', app: 'f', trigger: 'others', durationMs: { average: 1000 }, memoryMiB: 128, counts: [[0, 1]] },
  ]);
  assert.equal(bare.warnings.length, 4);
});

test('what is wrong is named by its place in the document', async () => {
  await refused('{', /^t\.json: is not JSON/);
  await refused(document({}, { minutes: 0 }), /minutes is 0: it must be a whole number/);
  await refused(document({}, { functions: {} }), /functions is \{\}: it must be an array/);
  await refused(document({}, { functions: [1] }), /functions\[0\] is 1: it must be an object/);
  await refused(document({ id: undefined }), /functions\[0\]\.id is missing/);
  await refused(document({ id: 'x'.repeat(300) }), /functions\[0\]\.id is "x+\.\.\.: it must be a text of at most/);
  await refused(document({ avgMs: -1 }), /functions\[0\]\.avgMs is -1/);
  await refused(document({ memMb: '64' }), /functions\[0\]\.memMb is "64"/);
  await refused(document({ counts: 3 }), /functions\[0\]\.counts is 3/);
  await refused(document({ counts: [[10, 1]] }), /functions\[0\]\.counts\[0\] is \[10,1\]: it must be \[minute below 10, calls\]/);
  await refused(
    document({
      counts: [
        [1, 1],
        [1, 1],
      ],
    }),
    /counts\[1\]: minute 1 does not come after minute 1/,
  );
  await refused(document({ counts: [[1, 0.5]] }), /counts\[0\] is \[1,0\.5\]/);
  await refused(document({ schedule: { periodMs: 0 } }), /schedule\.periodMs is 0/);
  await refused(document({}, { functions: [FUNCTION, FUNCTION] }), /functions\[1\]\.id: there is another function "f"/);
  await refused(`{"minutes":1,"functions":${'['.repeat(2_000)}`, /nests deeper/);
  await assert.rejects(read({ 't.json': document({}, { minutes: 1e9 }) }), { code: 'TraceTooLarge' });
});

test('a format can be named, and bytes that are no text are refused', async () => {
  await assert.rejects(read({ 't.json': document() }, { format: 'azure' }), { code: 'TraceInvalid' });
  await assert.rejects(read({ 'a.json': document(), 'b.json': document() }), { code: 'TraceInvalid', message: /is one file, not 2/ });
  await assert.rejects(readTrace([fileOf('x', Uint8Array.of(0xff, 0xfe, 0x00))], { name: 'x' }), {
    code: 'TraceInvalid',
    message: /not UTF-8/,
  });
  await assert.rejects(readTrace([], { name: 'x' }), { code: 'TraceInvalid' });
});
