import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../kernel/mod.ts';
import { bench, deployment, echo, sim } from './engine.testing.ts';
import type { Bench } from './engine.testing.ts';
import { withinLineLimit } from './lines.ts';

const ID = '8f507cfc-1111-4222-8333-444455556666';
const texts = (b: Bench) => b.lines.map((line) => line.text);

const logging = {
  load: (init: { log(text: string): void }) => {
    init.log('connecting');
    return () => (call: Parameters<Parameters<typeof sim>[0]>[0]) => {
      call.log('working', 'WARN');
      call.childOutput('from a child');
      call.after(10, () => call.respond('ok'));
    };
  },
};

test('the lines of an invocation are Lambda’s, init before and the function’s own between', async () => {
  const b = bench({ functions: { logging } });
  const d = deployment('logging');
  await Promise.all([b.engine.prepare(d), b.pass(10)]);
  b.call(d, {}, { requestId: ID });
  await b.pass(20);
  b.call(d, {}, { requestId: ID });
  await b.pass(20);
  assert.deepEqual(texts(b), [
    'connecting',
    `START RequestId: ${ID} Version: $LATEST`,
    'working',
    'from a child',
    `END RequestId: ${ID}`,
    `REPORT RequestId: ${ID}\tDuration: 13.00 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 1.00 ms\t`,
    `START RequestId: ${ID} Version: $LATEST`,
    'working',
    'from a child',
    `END RequestId: ${ID}`,
    `REPORT RequestId: ${ID}\tDuration: 10.00 ms\tBilled Duration: 10 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t`,
  ]);
  const [init, start, working, child] = b.lines;
  assert.deepEqual(init, { functionName: 'logging', version: '$LATEST', timeMs: init!.timeMs, level: 'INFO', text: 'connecting' });
  assert.deepEqual([start!.requestId, start!.level], [ID, undefined]);
  assert.deepEqual([working!.requestId, working!.level], [ID, 'WARN']);
  assert.deepEqual([child!.requestId, child!.level], [ID, 'INFO']);
});

test('unless somebody reads along, START is written with the first line of the function, or with the end', async () => {
  const b = bench({ functions: { logging, echo }, followed: false });
  for (const name of ['logging', 'echo']) {
    const d = deployment(name);
    await Promise.all([b.engine.prepare(d), b.pass(10)]);
    const before = b.lines.length;
    b.call(d, {}, { requestId: ID });
    const words = () =>
      texts(b)
        .slice(before)
        .map((text) => text.split(' ')[0]!);
    if (name === 'echo') assert.deepEqual(words(), []);
    await b.pass(20);
    assert.deepEqual(words(), ['START', ...(name === 'echo' ? [] : ['working', 'from']), 'END', 'REPORT']);
    const [start, ...rest] = b.lines.slice(before);
    assert.ok(rest.every(({ timeMs }) => timeMs >= start!.timeMs));
  }
});

test('a timeout has its line, and the report its status', async () => {
  const b = bench({ functions: { never: sim(() => {}) } });
  const d = deployment('never', { timeoutMs: 2_000 });
  await Promise.all([b.engine.prepare(d), b.pass(10)]);
  b.call(d, {}, { requestId: ID });
  await b.pass(2_000);
  assert.match(texts(b)[1]!, new RegExp(`^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z ${ID} Task timed out after 2.00 seconds\n$`));
  assert.equal(
    texts(b)[3],
    `REPORT RequestId: ${ID}\tDuration: 2000.00 ms\tBilled Duration: 2000 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\tInit Duration: 1.00 ms\tStatus: timeout`,
  );
});

test('an exit has its line, and the report its type; out of memory reports all of it', async () => {
  const b = bench({ functions: { oom: sim((call) => call.exit({ kind: 'outOfMemory' })) } });
  const d = deployment('oom');
  b.call(d, {}, { requestId: ID });
  await b.pass(10);
  assert.deepEqual(texts(b), [
    `START RequestId: ${ID} Version: $LATEST`,
    `RequestId: ${ID} Error: Runtime exited with error: signal: killed\nRuntime.OutOfMemory`,
    `END RequestId: ${ID}`,
    `REPORT RequestId: ${ID}\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tInit Duration: 1.00 ms\tStatus: error\tError Type: Runtime.OutOfMemory`,
  ]);
});

test('a failed init is reported before the invocation that waited for it', async () => {
  const b = bench({ functions: { broken: { load: (init) => (init.log('hm'), assert.fail('no')) } } });
  b.call(deployment('broken'), {}, { requestId: ID });
  await b.pass(10);
  assert.deepEqual(texts(b), [
    'hm',
    'INIT_REPORT Init Duration: 1.00 ms\tPhase: init\tStatus: error\tError Type: AssertionError',
    `START RequestId: ${ID} Version: $LATEST`,
    `END RequestId: ${ID}`,
    `REPORT RequestId: ${ID}\tDuration: 6.00 ms\tBilled Duration: 6 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\tStatus: error\tError Type: AssertionError`,
  ]);
});

test('the log tail is the invocation’s own lines, with those of the init it waited for', async () => {
  const b = bench({ functions: { logging } });
  const d = deployment('logging');
  const [tailed, plain] = [b.call(d, {}, { requestId: ID, logTail: true }), b.call(d)];
  await b.pass(30);
  const outcome = tailed.outcome();
  assert.ok(outcome.kind === 'answered');
  assert.equal(
    outcome.logTail,
    [
      'connecting',
      `START RequestId: ${ID} Version: $LATEST`,
      'working',
      'from a child',
      `END RequestId: ${ID}`,
      `REPORT RequestId: ${ID}\tDuration: 13.00 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 1.00 ms\t`,
      '',
    ].join('\n'),
  );
  assert.ok(!('logTail' in plain.outcome()));
});

test('the log tail is the last 4 KiB, in whole characters', async () => {
  const b = bench({
    functions: {
      floods: sim((call) => {
        for (let n = 0; n < 10_000; n++) call.log('ü€😀'.repeat(9));
        call.respond(1);
      }),
    },
  });
  const call = b.call(deployment('floods'), {}, { logTail: true });
  await b.pass(20);
  const outcome = call.outcome();
  assert.ok(outcome.kind === 'answered');
  const bytes = Buffer.byteLength(outcome.logTail!);
  assert.ok(bytes <= 4096 && bytes > 4096 - 4);
  assert.ok(!outcome.logTail!.includes('\ufffd'));
  assert.match(outcome.logTail!, /\nREPORT [^\n]+\n$/);
});

test('a line over the limit is cut and marked, in whole characters', () => {
  assert.equal(withinLineLimit('short'), 'short');
  const fits = '€'.repeat(Math.floor(LIMITS.logLineBytes / 3));
  assert.equal(withinLineLimit(fits), fits);
  for (const text of ['x'.repeat(LIMITS.logLineBytes + 1), '€'.repeat(LIMITS.logLineBytes), `x${'😀'.repeat(LIMITS.logLineBytes)}`]) {
    const cut = withinLineLimit(text);
    assert.ok(Buffer.byteLength(cut) <= LIMITS.logLineBytes);
    assert.ok(Buffer.byteLength(cut) > LIMITS.logLineBytes - 4);
    assert.ok(cut.endsWith(' ... (line cut by Hearth)') && !cut.includes('\ufffd'));
  }
});

test('request ids are made when none is given, and are told at once', async () => {
  const b = bench({ functions: { echo } });
  const d = deployment('echo');
  const [first, second] = [b.call(d), b.call(d)];
  assert.match(first.handle.requestId, /^[0-9a-f-]{36}$/);
  assert.notEqual(first.handle.requestId, second.handle.requestId);
  assert.equal(b.call(d, {}, { requestId: ID }).handle.requestId, ID);
});
