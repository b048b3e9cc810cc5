import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../kernel/mod.ts';
import { bench, deployment, sim } from './engine.testing.ts';

const HEAD = { contentType: 'text/event-stream' };
const PRELUDE = { statusCode: 201, headers: { 'x-a': 'b' }, cookies: ['c=d'] };
const counts = (prelude = false) =>
  sim((call) => {
    call.streamHead(prelude ? { ...HEAD, prelude: PRELUDE } : HEAD);
    const next = (n: number): void => {
      if (n > 3) call.streamEnd();
      else if (call.streamChunk(Buffer.from(`${n};`))) call.after(10, () => next(n + 1));
      else call.drained(() => next(n + 1));
    };
    next(1);
  });
const streaming = { streamHead() {}, streamChunk() {} };

test('a streamed answer reaches its listener chunk by chunk', async () => {
  const b = bench({ functions: { counts: counts() } });
  const call = b.call(deployment('counts'), {}, { listener: streaming });
  await b.pass(15);
  assert.deepEqual(call.heads, [HEAD]);
  assert.deepEqual(call.chunks, ['1;']);
  await b.pass(50);
  assert.deepEqual(call.chunks, ['1;', '2;', '3;']);
  assert.deepEqual(call.outcome(), { kind: 'streamed' });
});

test('without a listener for chunks a streamed answer is collected', async () => {
  const b = bench({ functions: { counts: counts(true) } });
  const d = deployment('counts');
  const [whole, headed] = [b.call(d), b.call(d, {}, { listener: { streamHead() {} } })];
  await b.pass(100);
  assert.equal(whole.outcome().text, `${JSON.stringify(PRELUDE)}${'\0'.repeat(8)}1;2;3;`);
  assert.equal(headed.outcome().text, '1;2;3;');
  assert.deepEqual(headed.heads, [{ ...HEAD, prelude: PRELUDE }]);
});

test('a slow reader holds the function back, even before it has begun', async () => {
  const b = bench({ functions: { counts: counts() } });
  const call = b.call(deployment('counts'), {}, { listener: streaming });
  call.handle.pause();
  await b.pass(200);
  assert.deepEqual(call.chunks, ['1;']);
  call.handle.resume();
  await b.pass(50);
  assert.deepEqual(call.chunks, ['1;', '2;', '3;']);
});

test('nothing of an abandoned invocation reaches its listener, and it runs to its end', async () => {
  const b = bench({ functions: { counts: counts() } });
  const d = deployment('counts');
  const call = b.call(d, {}, { listener: streaming });
  await b.pass(15);
  call.handle.pause();
  call.handle.abandon();
  await b.pass(200);
  assert.deepEqual(call.chunks, ['1;']);
  assert.deepEqual(call.outcomes, []);
  const [stats] = b.engine.stats();
  assert.deepEqual([stats!.idle, stats!.busy, stats!.errors], [1, 0, 0]);
  assert.match(b.lines.at(-1)!.text, /^REPORT /);
});

test('a stream that breaks off ends as streamed, with the error; one that was collected as a function error', async () => {
  const error = { errorType: 'Error', errorMessage: 'halfway' };
  const breaks = sim((call) => {
    call.streamHead(HEAD);
    call.streamChunk(Buffer.from('x'));
    call.streamEnd(error);
  });
  const b = bench({ functions: { breaks } });
  const d = deployment('breaks');
  const [streamed, collected] = [b.call(d, {}, { listener: streaming }), b.call(d)];
  await b.pass(20);
  assert.deepEqual(streamed.outcome(), { kind: 'streamed', error });
  assert.deepEqual(collected.outcome(), { kind: 'functionError', error });
});

test('a stream that runs into the timeout, or whose process dies, breaks off', async () => {
  const hangs = sim((call) => call.streamHead(HEAD));
  const dies = sim((call) => {
    call.streamHead(HEAD);
    call.exit({ kind: 'exited', code: 3 });
  });
  const b = bench({ functions: { hangs, dies } });
  const [hung, died] = [
    b.call(deployment('hangs', { timeoutMs: 1_000 }), {}, { listener: streaming }),
    b.call(deployment('dies'), {}, { listener: streaming }),
  ];
  await b.pass(1_020);
  const [late, dead] = [hung.outcome(), died.outcome()];
  assert.ok(late.kind === 'streamed' && late.error?.errorType === 'Sandbox.Timedout');
  assert.ok(dead.kind === 'streamed' && dead.error?.errorMessage.endsWith('exit status 3'));
});

test('a stream over its limit breaks off, and the instance is ended', async () => {
  const MiB = Buffer.alloc(1024 * 1024);
  const floods = sim((call) => {
    call.streamHead(HEAD);
    for (let n = 0; n < LIMITS.streamedResponseBytes / MiB.length + 5; n++) call.streamChunk(MiB);
  });
  const b = bench({ functions: { floods } });
  let bytes = 0;
  const d = deployment('floods');
  const outcomes: unknown[] = [];
  b.engine.invoke(
    { deployment: d, event: Buffer.from('{}') },
    { streamChunk: (chunk) => void (bytes += chunk.length), end: (outcome) => void outcomes.push(outcome) },
  );
  const collected = b.call(d);
  await b.pass(20);
  assert.equal(bytes, LIMITS.streamedResponseBytes);
  assert.deepEqual(outcomes, [
    {
      kind: 'streamed',
      error: {
        errorType: 'Function.ResponseSizeTooLarge',
        errorMessage: 'Response payload size exceeded maximum allowed payload size (209715200 bytes).',
      },
    },
  ]);
  assert.equal(collected.outcome().kind, 'functionError');
  assert.equal(b.sandboxes.counts.instances, 0);
});
