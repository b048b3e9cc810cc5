import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read } from './formats.testing.ts';

const INVOCATIONS = `HashOwner,HashApp,HashFunction,Trigger,480,481,482
o1,a1,f1,http,1,0,20
o1,a1,f2,timer,0,3,0
o2,a2,f3,queue,0,0,1
`;
const DURATIONS = `HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_50,percentile_Average_99
o1,a1,f1,100,21,1,900.5,80,700
o1,a1,f2,2.5e3,3,2000,3000,2400,2900
o2,a2,f3,7,1,7,7,7,7
`;
const MEMORY = `HashOwner,HashApp,SampleCount,AverageAllocatedMb
o1,a1,10,300
o2,a2,10,64.5
`;
const ALL = { 'inv.csv': INVOCATIONS, 'dur.csv': DURATIONS, 'mem.csv': MEMORY };

const refused = (files: Readonly<Record<string, string>>, message: RegExp, code = 'TraceInvalid') =>
  assert.rejects(read(files), (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });

test('three files are joined by their hashes, minutes begin at any number, and the memory of an application is shared by its functions', async () => {
  const { trace, warnings, format } = await read(ALL);
  assert.equal(format, 'azure');
  assert.deepEqual(warnings, []);
  assert.deepEqual(trace, {
    name: 'test',
    minutes: 3,
    functions: [
      {
        id: 'f1',
        app: 'a1',
        owner: 'o1',
        trigger: 'http',
        durationMs: { average: 100, p50: 80, p99: 700, max: 900.5 },
        memoryMiB: 150,
        counts: [
          [0, 1],
          [2, 20],
        ],
      },
      {
        id: 'f2',
        app: 'a1',
        owner: 'o1',
        trigger: 'timer',
        durationMs: { average: 2500, p50: 2400, p99: 2900, max: 3000 },
        memoryMiB: 150,
        counts: [[1, 3]],
      },
      {
        id: 'f3',
        app: 'a2',
        owner: 'o2',
        trigger: 'queue',
        durationMs: { average: 7, p50: 7, p99: 7, max: 7 },
        memoryMiB: 64.5,
        counts: [[2, 1]],
      },
    ],
  });
});

test('the order of files, of columns and of rows, CRLF, a byte order mark, quotes and a missing last line break change nothing', async () => {
  const quote = (text: string) =>
    text
      .replace(/^o1,a1,f1,/m, '"o1","a1","f1",')
      .trimEnd()
      .replaceAll('\n', '\r\n');
  const turned = MEMORY.trimEnd()
    .split('\n')
    .map((line) => line.split(',').toReversed().join(','))
    .join('\n');
  const { trace } = await read({ 'mem.csv': turned, 'dur.csv': quote(DURATIONS), 'inv.csv': `\ufeff${quote(INVOCATIONS)}` });
  assert.deepEqual(trace, (await read(ALL)).trace);
});

test('a quoted cell may hold commas, quotes and line breaks', async () => {
  const odd = 'a "b", c\nd';
  const { trace } = await read({ 'i.csv': `HashFunction,Trigger,1\n"${odd.replaceAll('"', '""')}",http,"4"\ng,http,2\n` });
  assert.deepEqual(
    trace.functions.map(({ id, counts }) => [id, counts]),
    [
      [odd, [[0, 4]]],
      ['g', [[0, 2]]],
    ],
  );
});

test('what is missing is assumed and counted; functions without calls are left out', async () => {
  const { trace, warnings } = await read({ 'inv.csv': `${INVOCATIONS}o3,a3,f4,magic,0,1,0\no3,a3,f5,http,0,0,0\n` });
  assert.deepEqual(
    trace.functions.map(({ durationMs, memoryMiB }) => [durationMs, memoryMiB]),
    Array.from({ length: 4 }, () => [{ average: 1000 }, 128]),
  );
  assert.equal(trace.functions[3]!.trigger, 'others');
  assert.deepEqual(warnings, [
    '4 functions without a duration: 1000 ms assumed',
    '4 functions without a memory size: 128 MiB assumed',
    '1 function with a trigger that is not known: taken as "others"',
    '1 function without any call left out',
  ]);
});

test('several files of invocations are days in a row; a second row of a function in one day is added', async () => {
  const day = (rows: string) => `HashOwner,HashApp,HashFunction,Trigger,1,2\n${rows}`;
  const { trace, warnings } = await read({
    'd1.csv': day('o,a,f,http,1,0\no,a,g,http,1,1\no,a,g,queue,0,2\n'),
    'd2.csv': day('o,a,f,http,0,5\n'),
  });
  assert.equal(trace.minutes, 4);
  assert.deepEqual(
    trace.functions.map(({ counts }) => counts),
    [
      [
        [0, 1],
        [3, 5],
      ],
      [
        [0, 1],
        [1, 3],
      ],
    ],
  );
  assert.match(warnings.join('\n'), /^1 rows were added/m);
});

test('functions of one hash in two applications are two', async () => {
  const { trace } = await read({ 'i.csv': 'HashOwner,HashApp,HashFunction,Trigger,1\no,a,f,http,1\no,b,f,http,2\n' });
  assert.deepEqual(
    trace.functions.map(({ id }) => id),
    ['o/a/f', 'o/b/f'],
  );
});

test('a bad number, a short row, or a broken header is told with its line and column', async () => {
  const inv = (rows: string) => ({ 'i.csv': `HashOwner,HashApp,HashFunction,Trigger,480,481\n${rows}` });
  await refused(inv('o,a,f,http,1,1\no,a,g,http,1,x\n'), /^i\.csv:3: column 6 \(481\): "x" is no whole number/);
  await refused(inv('o,a,f,http,1,-1\n'), /^i\.csv:2: column 6/);
  await refused(inv('o,a,f,http,1.5,1\n'), /^i\.csv:2: column 5 \(480\): "1\.5"/);
  await refused(inv('o,a,f,http,,1\n'), /^i\.csv:2: column 5 \(480\): "" is no/);
  await refused(inv('o,a,f,http,1,999999999999\n'), /column 6/);
  await refused(inv('o,a,f,http,1\n'), /^i\.csv:2: the row has 5 columns, the first line 6/);
  await refused(inv('o,a\n'), /^i\.csv:2: the row has 2 columns/);
  await refused(inv('o,a,f,http,1,1,1\n'), /has 7 columns/);
  await refused(inv('o,a,,http,1,1\n'), /^i\.csv:2: column 3 \(HashFunction\): is empty/);
  await refused(inv(`o,a,${'f'.repeat(300)},http,1,1\n`), /more than 256 characters/);
  await refused({ 'i.csv': 'HashFunction,Trigger,1,3\nf,http,1,1\n' }, /^i\.csv:1: column 4: minute 3 does not follow minute 1/);
  await refused({ 'i.csv': 'HashFunction,Trigger,1,note,2\nf,http,1,,1\n' }, /^i\.csv:1: column 5: minute 2 does not stand beside/);
  await refused({ 'i.csv': 'HashFunction,HashFunction,Trigger,1\nf,f,http,1\n' }, /^i\.csv:1: column 2: there are two columns/);
  await refused({ ...ALL, 'dur.csv': DURATIONS.replace('2.5e3', 'slow') }, /^dur\.csv:3: column 4 \(Average\): "slow" is no number/);
  await refused({ ...ALL, 'dur.csv': DURATIONS.replace('2.5e3', '') }, /^dur\.csv:3: column 4 \(Average\): is empty/);
  await refused({ ...ALL, 'mem.csv': MEMORY.replace('64.5', '1e300') }, /^mem\.csv:3: column 4/);
});

test('files that are no trace, or lack one, are told apart', async () => {
  await refused({ 'a.csv': 'name,age\nada,36\n' }, /^a\.csv:1: is neither invocations/);
  await refused({ 'a.csv': '' }, /^a\.csv: is empty/);
  await refused({ 'dur.csv': DURATIONS }, /none of the files has invocations/);
  await refused({ 'i.csv': 'HashFunction,Trigger,1\nf,http,0\n' }, /no function is ever called/);
  await refused({ 'i.csv': 'HashFunction,Trigger,1\n"f,http,1\n' }, /^i\.csv:2: a quoted cell does not end/);
  await refused({ 'i.csv': 'HashFunction,Trigger,1\n"f"x,http,1\n' }, /^i\.csv:2: column 1: something follows/);
  await refused({ 'i.csv': 'HashFunction,Trigger,1\nf"x""",http,1\n' }, /^i\.csv:2: column 1: a quote within/);
});

test('what is over a limit is refused by a code of its own', async () => {
  await refused({ 'i.csv': `HashFunction,Trigger,1\n"${'x'.repeat(2 ** 20)}` }, /i\.csv:2: a record has more than/, 'TraceTooLarge');
  const days = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`d${i}.csv`, 'HashFunction,Trigger,1\nf,http,1\n']));
  await refused(days, /at most 64 files/, 'TraceTooLarge');
  const header = `HashFunction,Trigger,${Array.from({ length: 90_000 }, (_, i) => i).join(',')}\n`;
  await refused({ 'i.csv': header }, /at most 86,400 minutes/, 'TraceTooLarge');
});
