/** Invocations that go on after their answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SimCall, SimFunction } from '../adapters/simulated/mod.ts';
import { bench, deployment, sim } from './engine.testing.ts';

/** Answers at once with the number of its instance, and goes on for `event.ms`; for ever without. */
function numbered(): SimFunction {
  let instances = 0;
  return {
    load: () => () => {
      const number = ++instances;
      return (call) => answerAndGoOn(call, number);
    },
  };
}

function answerAndGoOn(call: SimCall, number: number): void {
  const { ms, fails } = call.input() as { readonly ms?: number; readonly fails?: boolean };
  call.goesOn();
  if (fails) call.fail({ errorType: 'Error', errorMessage: 'failed' });
  else call.respond(number);
  call.log('still at work');
  if (ms !== undefined) call.after(ms, () => call.over());
}

const reports = ({ lines }: ReturnType<typeof bench>) => lines.map(({ text }) => text).filter((text) => text.startsWith('REPORT'));

test('an invocation that goes on is answered at once, and its instance is busy until it is over', async () => {
  const b = bench({ functions: { numbered: numbered() } });
  const d = deployment('numbered');
  const first = b.call(d, { ms: 500 });
  await b.pass(30);
  assert.equal(first.outcome().text, '1');
  assert.equal(b.engine.stats()[0]!.busy, 1);
  assert.ok(b.lines.some(({ text }) => text === 'still at work'));
  assert.deepEqual(reports(b), []);
  const second = b.call(d, { ms: 10 });
  await b.pass(40);
  assert.equal(second.outcome().text, '2', 'another instance was forked for it');
  await b.pass(500);
  assert.equal(first.outcomes.length, 1);
  const [stats] = b.engine.stats();
  assert.deepEqual([stats!.idle, stats!.busy, stats!.errors], [2, 0, 0]);
  assert.match(reports(b)[1]!, /\tDuration: 5\d\d\./);
});

test('what goes on beyond the timeout is ended with its instance, and its caller hears nothing more', async () => {
  const b = bench({ functions: { numbered: numbered() } });
  const call = b.call(deployment('numbered', { timeoutMs: 1_000 }));
  await b.pass(500);
  assert.equal(call.outcome().text, '1');
  assert.equal(b.sandboxes.counts.instances, 1);
  await b.pass(600);
  assert.equal(call.outcomes.length, 1);
  assert.equal(b.sandboxes.counts.instances, 0);
  assert.match(reports(b)[0]!, /Status: timeout/);
  assert.ok(b.lines.some(({ text }) => text.includes('Task timed out after 1.00 seconds')));
});

test('an error may be the answer, and counts once', async () => {
  const b = bench({ functions: { numbered: numbered() } });
  const call = b.call(deployment('numbered'), { fails: true, ms: 100 });
  await b.pass(50);
  assert.deepEqual(call.outcome(), { kind: 'functionError', error: { errorType: 'Error', errorMessage: 'failed' } });
  assert.equal(b.engine.stats()[0]!.errors, 0);
  await b.pass(100);
  const [stats] = b.engine.stats();
  assert.deepEqual([stats!.idle, stats!.busy, stats!.errors, call.outcomes.length], [1, 0, 1, 1]);
});

test('a process that dies after the answer is an error of the invocation that its caller does not hear of', async () => {
  const dies = sim((call) => {
    call.goesOn();
    call.respond('fine');
    call.after(10, () => call.exit({ kind: 'exited', code: 3 }));
  });
  const b = bench({ functions: { dies } });
  const call = b.call(deployment('dies'));
  await b.pass(50);
  assert.equal(call.outcome().text, '"fine"');
  assert.equal(b.engine.stats()[0]!.errors, 1);
  assert.match(reports(b)[0]!, /Error Type: Runtime\.ExitError/);
});

test('a slow reader of a streamed answer does not hold back what goes on after it', async () => {
  const streams = sim((call) => {
    call.streamHead({ contentType: 'text/plain' });
    call.streamChunk(Buffer.from('x'));
    call.goesOn();
    call.streamEnd();
    call.drained(() => call.over());
  });
  const b = bench({ functions: { streams } });
  const call = b.call(deployment('streams'), {}, { listener: { streamHead() {}, streamChunk() {} } });
  call.handle.pause();
  await b.pass(50);
  assert.deepEqual(call.outcome(), { kind: 'streamed' });
  assert.equal(b.engine.stats()[0]!.busy, 0);
});

test('a node that is shutting down waits for it, within its grace', async () => {
  const b = bench({ functions: { numbered: numbered() } });
  b.call(deployment('numbered'), { ms: 300 });
  await b.pass(50);
  let drained = false;
  void b.engine.drain(10_000).then(() => (drained = true));
  await b.pass(100);
  assert.equal(drained, false);
  await b.pass(400);
  assert.equal(drained, true);
  assert.doesNotMatch(reports(b)[0]!, /Status/);
});
