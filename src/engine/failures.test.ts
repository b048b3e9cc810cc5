import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SimFunction } from '../adapters/simulated/mod.ts';
import type { Exit } from '../ports/mod.ts';
import { bench, deployment, echo, sim, slow } from './engine.testing.ts';
import { RESPONSE_BYTES } from './errors.ts';

const ID = '8f507cfc-1111-4222-8333-444455556666';
const exits = (exit: Exit): SimFunction => sim((call) => call.exit(exit));

test('an invocation is answered at its timeout, and its instance is ended', async () => {
  const b = bench({ functions: { never: sim(() => {}) } });
  const d = deployment('never', { timeoutMs: 3_000 });
  await Promise.all([b.engine.prepare(d), b.pass(20)]);
  const call = b.call(d, {}, { requestId: ID });
  await b.pass(2_995);
  assert.deepEqual(call.outcomes, []);
  await b.pass(5);
  assert.deepEqual(call.outcome(), {
    kind: 'functionError',
    error: { errorType: 'Sandbox.Timedout', errorMessage: `RequestId: ${ID} Error: Task timed out after 3.00 seconds` },
  });
  assert.equal(b.sandboxes.counts.instances, 0);
  const next = b.call(d);
  await b.pass(3_010);
  assert.equal(next.outcome().kind, 'functionError');
  assert.equal(b.sandboxes.counts.boots, 1);
});

for (const [exit, errorType, text] of [
  [{ kind: 'exited', code: 1 }, 'Runtime.ExitError', 'Runtime exited with error: exit status 1'],
  [{ kind: 'exited', code: 0 }, 'Runtime.ExitError', 'Runtime exited without providing a reason'],
  [{ kind: 'signalled', signal: 'SIGSEGV' }, 'Runtime.ExitError', 'Runtime exited with error: signal: segmentation fault'],
  [{ kind: 'signalled', signal: 'SIGKILL' }, 'Runtime.ExitError', 'Runtime exited with error: signal: killed'],
  [{ kind: 'outOfMemory' }, 'Runtime.OutOfMemory', 'Runtime exited with error: signal: killed'],
  [{ kind: 'violated', message: 'a frame is too long' }, 'Runtime.ProtocolViolation', 'a frame is too long'],
] as const satisfies readonly (readonly [Exit, string, string])[]) {
  test(`a process that ends (${Object.values(exit).join(' ')}) ends its invocation as ${errorType}: ${text}`, async () => {
    const b = bench({ functions: { exits: exits(exit) } });
    const call = b.call(deployment('exits'), {}, { requestId: ID });
    await b.pass(20);
    assert.deepEqual(call.outcome(), { kind: 'functionError', error: { errorType, errorMessage: `RequestId: ${ID} Error: ${text}` } });
    assert.equal(b.engine.stats()[0]!.idle, 0);
    assert.equal(b.engine.stats()[0]!.errors, 1);
  });
}

test('a thrown error is the answer, and the instance goes on', async () => {
  const error = { errorType: 'TypeError', errorMessage: 'x is not a function', stackTrace: ['TypeError: x is not a function'] };
  const b = bench({ functions: { throws: sim((call) => call.fail(error)) } });
  const d = deployment('throws');
  const first = b.call(d);
  await b.pass(20);
  const second = b.call(d);
  await b.pass(5);
  assert.deepEqual(first.outcome(), { kind: 'functionError', error });
  assert.deepEqual(second.outcome(), { kind: 'functionError', error });
  assert.equal(b.sandboxes.counts.forks, 1);
});

test('a response over the limit is an error of the function, which goes on', async () => {
  const text = (bytes: number) => 'x'.repeat(bytes - 2);
  const b = bench({ functions: { big: sim((call) => call.respond(text(Number(call.input()['bytes'])))) } });
  const d = deployment('big');
  const [fits, over] = [b.call(d, { bytes: RESPONSE_BYTES }), b.call(d, { bytes: RESPONSE_BYTES + 1 })];
  await b.pass(20);
  assert.equal(fits.outcome().text!.length, RESPONSE_BYTES);
  assert.deepEqual(over.outcome(), {
    kind: 'functionError',
    error: {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    },
  });
  assert.equal(b.engine.stats()[0]!.idle, 2);
});

test('a sandbox that is lost without anyone ending it is the platform’s failure', async () => {
  const b = bench({ functions: { echo }, sandboxes: { faults: { forkFails: 1 } } });
  const call = b.call(deployment('echo'));
  await b.pass(20);
  const outcome = call.outcome();
  assert.ok(outcome.kind === 'refused' && outcome.code === 'SandboxFailed');
  assert.equal(b.sandboxes.counts.instances, 0);
});

test('one invocation’s timeout leaves its neighbours in the same instance alone, which takes no others and goes with the last of them', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { timeoutMs: 1_000, spec: { concurrency: 3 } });
  const late = b.call(d, { ms: 5_000 });
  await b.pass(500);
  const neighbour = b.call(d, { ms: 900 });
  await b.pass(600);
  assert.equal(late.outcome().kind, 'functionError');
  assert.equal(b.sandboxes.counts.instances, 1);
  const next = b.call(d, { ms: 10 });
  await b.pass(50);
  assert.equal(next.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.forks, 2);
  await b.pass(400);
  assert.equal(neighbour.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.instances, 1);
});

test('neighbours that a late invocation keeps from answering are late too', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { timeoutMs: 1_000, spec: { concurrency: 2 } });
  const calls = [b.call(d, { ms: 5_000 })];
  await b.pass(500);
  calls.push(b.call(d, { ms: 5_000 }));
  await b.pass(1_100);
  for (const call of calls) assert.equal(call.outcome().kind, 'functionError');
  assert.equal(b.sandboxes.counts.instances, 0);
});

test('a failed init is the answer of all that waited for it, and is tried again', async () => {
  let broken = true;
  const b = bench({
    functions: {
      flaky: {
        load: () => {
          if (broken) throw new RangeError('no configuration');
          return () => (call) => call.respond('well');
        },
      },
    },
  });
  const d = deployment('flaky');
  const waiting = [b.call(d), b.call(d)];
  await b.pass(10);
  const error = { errorType: 'RangeError', errorMessage: 'no configuration', stackTrace: ['RangeError: no configuration'] };
  for (const call of waiting) assert.deepEqual(call.outcome(), { kind: 'functionError', error });
  const soon = b.call(d);
  await b.pass(5);
  assert.deepEqual(soon.outcome(), { kind: 'functionError', error });
  assert.equal(b.sandboxes.counts.boots, 1);
  broken = false;
  await b.pass(200);
  const later = b.call(d);
  await b.pass(20);
  assert.equal(later.outcome().text, '"well"');
});

test('boots of a function that cannot start are no storm', async () => {
  const b = bench({ functions: { broken: { load: () => assert.fail('never') } } });
  const d = deployment('broken');
  for (let n = 0; n < 500; n++) {
    b.call(d);
    await b.pass(20);
  }
  // 10 s: after 100, 200, 400, ... ms.
  assert.ok(b.sandboxes.counts.boots <= 8, String(b.sandboxes.counts.boots));
});

for (const [name, simulated, error] of [
  [
    'exits',
    { load: (init) => init.exit({ kind: 'exited', code: 1 }) },
    { errorType: 'Runtime.ExitError', errorMessage: `RequestId: ${ID} Error: Runtime exited with error: exit status 1` },
  ],
  [
    'takes too long',
    { load: (init) => (init.takes(60_000), () => () => {}) },
    { errorType: 'Sandbox.Timedout', errorMessage: `RequestId: ${ID} Error: Init timed out after 10.00 seconds` },
  ],
] as const satisfies readonly (readonly [string, SimFunction, unknown])[]) {
  test(`an init that ${name} ends its invocation as Lambda says`, async () => {
    const b = bench({ functions: { init: simulated } });
    const call = b.call(deployment('init'), {}, { requestId: ID });
    await b.pass(10_050);
    assert.deepEqual(call.outcome(), { kind: 'functionError', error });
  });
}

test('a sandbox that cannot be started is the platform’s failure, with its reason', async () => {
  const b = bench({ functions: { echo }, sandboxes: { faults: { bootThrows: 1 } } });
  const call = b.call(deployment('echo'));
  await b.pass(20);
  assert.deepEqual(call.outcome(), {
    kind: 'refused',
    code: 'SandboxFailed',
    message: 'no sandbox of echo:$LATEST could be started: the simulated machine has no room for a sandbox',
  });
});

test('a boot that never settles keeps nobody waiting for ever', async () => {
  const b = bench({ functions: { echo }, sandboxes: { faults: { bootHangs: 1 } } });
  const call = b.call(deployment('echo'));
  await b.pass(20_005);
  const outcome = call.outcome();
  assert.ok(outcome.kind === 'refused' && outcome.code === 'SandboxFailed');
});

test('a listener that throws harms nobody else', async () => {
  const b = bench({ functions: { echo } });
  const d = deployment('echo');
  b.call(d, {}, { listener: { end: () => assert.fail('listener') } });
  await b.pass(20);
  const next = b.call(d);
  await b.pass(5);
  assert.equal(next.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.forks, 1);
});

test('an instance that is known to end after an error is given nothing more', async () => {
  const crashes = sim((call) => {
    call.after(5, () => {
      call.fail({ errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: 'Error: late' });
      call.exit({ kind: 'exited', code: 128 });
    });
  });
  const b = bench({ functions: { crashes } });
  const d = deployment('crashes', { maxInstances: 1 });
  const calls = [b.call(d), b.call(d), b.call(d)];
  await b.pass(60);
  for (const call of calls) {
    const outcome = call.outcome();
    assert.ok(outcome.kind === 'functionError' && outcome.error.errorType === 'Runtime.UnhandledPromiseRejection');
  }
  assert.equal(b.sandboxes.counts.forks, 3);
});
