import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CapacityClass } from '../policy/mod.ts';
import { bench, deployment, echo, sim, slow } from './engine.testing.ts';
import type { Bench, Call } from './engine.testing.ts';

const classed = (capacityClass: CapacityClass, handler = 'slow', more: Parameters<typeof deployment>[1] = {}) =>
  deployment(handler, { timeoutMs: 600_000, capacity: { class: capacityClass, labels: [] }, ...more });
const reasonOf = (call: Call) => call.outcomes.map((outcome) => ('reason' in outcome ? outcome.reason : outcome.kind)).join();
const kinds = (calls: readonly Call[]) => Object.entries(Object.groupBy(calls, reasonOf)).map(([reason, of]) => [reason, of!.length]);
const stateOf = (b: Bench, id: string) => b.engine.statsOf(id);

test('with memory for a few, many functions called in turn are all answered, and what they hold stays within it', async () => {
  const b = bench({ functions: { echo }, limits: { memoryMiB: 40 } });
  const all = Array.from({ length: 20 }, () => deployment('echo'));
  for (let round = 0; round < 5; round++) {
    for (const d of all) {
      const call = b.call(d);
      await b.pass(20);
      assert.equal(call.outcome().kind, 'answered');
      assert.ok(b.engine.load().committedMiB <= 40);
    }
  }
  assert.equal(b.sandboxes.counts.templates, 4);
  assert.equal(b.engine.load().evicted.templates, b.sandboxes.counts.boots - 4);
});

test('a function steps down: its instance makes room before its template does', async () => {
  const b = bench({ functions: { echo }, limits: { memoryMiB: 18.5 } });
  const [first, second] = [deployment('echo'), deployment('echo')];
  for (const d of [first, second]) {
    b.call(d);
    await b.pass(20);
  }
  // Two templates and one instance fit.
  assert.deepEqual(b.engine.load().evicted, { instances: 1, templates: 0 });
  const again = b.call(first);
  await b.pass(20);
  assert.equal(again.outcome().kind, 'answered');
  assert.equal(b.sandboxes.counts.boots, 2);
});

test('what is worth most is kept, or what was used last, as is wanted', async () => {
  const kept = async (eviction: 'value' | 'lru') => {
    const dear = sim((call) => call.respond(1), {
      load: (init) => {
        init.takes(2_000);
        return () => (call) => call.respond(1);
      },
    });
    const b = bench({ functions: { echo, dear }, limits: { memoryMiB: 20, eviction } });
    const first = deployment('dear');
    b.call(first);
    await b.pass(3_000);
    for (let n = 0; n < 2; n++) {
      b.call(deployment('echo'));
      await b.pass(100);
    }
    b.call(first);
    await b.pass(3_000);
    return b.sandboxes.counts.boots;
  };
  assert.equal(await kept('value'), 3);
  assert.equal(await kept('lru'), 4);
});

test('spot makes room for others first, and takes nothing from reserved', async () => {
  const b = bench({ functions: { echo }, limits: { memoryMiB: 20, queueAgeMs: 1_000 } });
  const [reserved, spot, other] = [classed('reserved', 'echo'), classed('spot', 'echo'), classed('spot', 'echo')];
  for (const d of [spot, reserved]) {
    b.call(d);
    await b.pass(20);
  }
  b.call(other);
  await b.pass(20);
  assert.equal(stateOf(b, reserved.id)!.idle, 1);
  assert.equal(stateOf(b, spot.id)!.idle, 0);
  const small = bench({ functions: { echo }, limits: { memoryMiB: 10, queueAgeMs: 1_000 } });
  small.call(reserved);
  await small.pass(20);
  const refused = small.call(spot);
  await small.pass(1_500);
  assert.equal(reasonOf(refused), 'MachineMemoryLimitExceeded');
  const more = small.call(classed('standard', 'echo'));
  await small.pass(20);
  assert.equal(more.outcome().kind, 'answered');
});

test('where the machine itself is short of memory, idle ones go, nothing new is started, and all goes on when it has some again', async () => {
  const b = bench({ functions: { slow, echo }, limits: { queueAgeMs: 3_000 }, machine: { limitMiB: 1_000, availableMiB: 900 } });
  b.call(deployment('echo'));
  const busy = b.call(classed('standard'), { ms: 20_000 });
  await b.pass(100);
  b.machine.availableMiB = 40;
  await b.pass(2_500);
  assert.equal(b.sandboxes.counts.instances, 1);
  const refused = b.call(classed('standard'), { ms: 1 });
  await b.pass(3_500);
  assert.equal(reasonOf(refused), 'MachineMemoryLimitExceeded');
  const waits = b.call(classed('standard'), { ms: 1 });
  await b.pass(500);
  assert.deepEqual(waits.outcomes, []);
  b.machine.availableMiB = 900;
  await b.pass(1_000);
  assert.equal(waits.outcome().kind, 'answered');
  await b.pass(15_000);
  assert.equal(busy.outcome().kind, 'answered');
});

test('where the machine has no room for more processes, that is said', async () => {
  const b = bench({ functions: { slow }, limits: { queueAgeMs: 1_000 }, machine: { processes: 90, maxProcesses: 100 } });
  const d = classed('standard');
  const calls = Array.from({ length: 12 }, () => b.call(d, { ms: 5_000 }));
  await b.pass(100);
  b.machine.processes = 95;
  await b.pass(2_000);
  assert.deepEqual(kinds(calls), [
    ['', 5],
    ['MachineProcessLimitExceeded', 7],
  ]);
});

test('what alone is more than the limit still runs', async () => {
  const b = bench({ functions: { echo }, limits: { memoryMiB: 1 } });
  for (let n = 0; n < 3; n++) {
    const call = b.call(deployment('echo'));
    await b.pass(100);
    assert.equal(call.outcome().kind, 'answered');
  }
});

test('boots are few at a time, of higher classes first, then as they came; and one serves all who call its function', async () => {
  const order: string[] = [];
  const noted = (name: string) =>
    sim(() => {}, {
      load: () => {
        order.push(name);
        return () => (call) => call.respond(1);
      },
    });
  const names = ['first', 'second', 'spot', 'standard', 'later', 'reserved'];
  const b = bench({
    functions: Object.fromEntries(names.map((name) => [name, noted(name)])),
    limits: { processors: 1 },
    sandboxes: { bootMs: 100 },
  });
  const called = names.map((name) => classed(name === 'spot' || name === 'reserved' ? name : 'standard', name));
  const calls = called.flatMap((d) => [b.call(d), b.call(d), b.call(d)]);
  let most = 0;
  for (let n = 0; n < 60; n++) {
    await b.pass(10);
    most = Math.max(most, b.sandboxes.counts.booting);
  }
  assert.equal(most, 2);
  assert.deepEqual(order, ['first', 'second', 'reserved', 'standard', 'later', 'spot']);
  assert.equal(b.sandboxes.counts.boots, 6);
  for (const call of calls) assert.equal(call.outcome().kind, 'answered');
});

test('where processors are waited for, fewer boots are under way', async () => {
  const b = bench({ functions: { echo }, limits: { processors: 3 }, machine: { cpuPressure: 95 }, sandboxes: { bootMs: 100 } });
  for (let n = 0; n < 8; n++) b.call(deployment('echo'));
  await b.pass(10);
  assert.equal(b.sandboxes.counts.booting, 2);
  assert.deepEqual(b.engine.load().boots, { going: 2, waiting: 6 });
});

test('a boot whose callers have gone before its turn is not begun', async () => {
  const b = bench({ functions: { echo }, limits: { processors: 1, queueAgeMs: 100 }, sandboxes: { bootMs: 500 } });
  const calls = Array.from({ length: 3 }, () => b.call(deployment('echo')));
  await b.pass(2_000);
  assert.equal(b.sandboxes.counts.boots, 2);
  assert.deepEqual(kinds(calls), [['FunctionInvocationRateLimitExceeded', 3]]);
  const again = b.call(deployment('echo'), {});
  await b.pass(50);
  assert.deepEqual(again.outcomes, []);
  assert.equal(b.sandboxes.counts.boots, 3);
});

test('a boot that is given up gives its turn to the next', async () => {
  const b = bench({ functions: { echo }, limits: { processors: 1 }, sandboxes: { bootMs: 1_000 } });
  const all = Array.from({ length: 4 }, (_, index) => deployment('echo', { functionName: `f${index}` }));
  for (const d of all) void b.engine.prepare(d);
  await b.pass(10);
  assert.deepEqual(b.engine.load().boots, { going: 2, waiting: 2 });
  void b.engine.retire('f0');
  void b.engine.retire('f2');
  await b.pass(10);
  assert.deepEqual(b.engine.load().boots, { going: 2, waiting: 0 });
  await b.pass(2_000);
  assert.equal(b.sandboxes.counts.templates, 2);
  assert.deepEqual(b.engine.load().boots, { going: 0, waiting: 0 });
});

/** One invocation at a time, of 500 ms each; of each class one function that is called this often. */
async function overload(b: Bench, calls: Readonly<Record<CapacityClass, number>>, seconds: number) {
  const made: Record<CapacityClass, Call[]> = { reserved: [], standard: [], spot: [] };
  const functions = { reserved: classed('reserved'), standard: classed('standard'), spot: classed('spot') };
  for (let second = 0; second < seconds; second++) {
    for (const capacityClass of ['spot', 'standard', 'reserved'] as const)
      for (let n = 0; n < calls[capacityClass]; n++) made[capacityClass].push(b.call(functions[capacityClass], { ms: 500 }));
    await b.pass(1_000);
  }
  return made;
}

test('more than can be done: the newest of spot are refused, then of standard, and reserved is served', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 1 } });
  const made = await overload(b, { reserved: 1, standard: 2, spot: 2 }, 30);
  assert.ok(b.engine.load().shedding);
  const refusedOf = (calls: readonly Call[]) => calls.filter((call) => reasonOf(call) === 'ConcurrentInvocationLimitExceeded').length;
  const refused = { reserved: refusedOf(made.reserved), standard: refusedOf(made.standard), spot: refusedOf(made.spot) };
  assert.equal(refused.reserved, 0);
  assert.ok(refused.spot > 40, JSON.stringify(refused));
  assert.ok(refused.standard < 30 && refused.standard > 0, JSON.stringify(refused));
  assert.equal(b.engine.load().shed, refused.spot + refused.standard);
  // The oldest stay in line, and are served.
  assert.notEqual(reasonOf(made.spot[0]!), 'ConcurrentInvocationLimitExceeded');
  // All of it ends by itself.
  await b.pass(20_000);
  assert.equal(b.engine.load().shedding, false);
  assert.equal(b.engine.load().waiting, 0);
  const after = b.call(classed('spot'), { ms: 1 });
  await b.pass(100);
  assert.equal(after.outcome().kind, 'answered');
});

test('a burst that can be served in time is served', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 10 } });
  const d = classed('spot');
  const calls = Array.from({ length: 300 }, () => b.call(d, { ms: 100 }));
  await b.pass(5_000);
  assert.deepEqual(kinds(calls), [['answered', 300]]);
  assert.equal(b.engine.load().shed, 0);
});

test('as few as can be started at once are no overload, however long they wait', async () => {
  const b = bench({ functions: { slow }, limits: { processors: 1, concurrentInvocations: 1 } });
  const calls = Array.from({ length: 3 }, () => b.call(classed('spot'), { ms: 9_000 }));
  await b.pass(30_000);
  assert.deepEqual(kinds(calls), [['answered', 3]]);
  assert.equal(b.engine.load().shed, 0);
});

test('those who wait for a limit of their own function are nobody else’s overload', async () => {
  const b = bench({ functions: { slow } });
  const d = classed('spot', 'slow', { maxInstances: 1 });
  const calls = Array.from({ length: 40 }, () => b.call(d, { ms: 500 }));
  await b.pass(25_000);
  assert.deepEqual(kinds(calls), [['answered', 40]]);
});

test('all lines together have a depth too', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 2, queueDepthTotal: 3 } });
  const calls = Array.from({ length: 6 }, () => b.call(classed('standard'), { ms: 100 }));
  await b.pass(1);
  assert.equal(b.engine.load().waiting, 3);
  assert.deepEqual(kinds(calls).at(-1), ['CallerRateLimitExceeded', 3]);
  await b.pass(500);
  assert.equal(b.engine.load().waiting, 0);
});

test('inits that wait for something hold up nobody else, and those who wait for them are no overload', async () => {
  const starting = sim(() => {}, { load: (init) => (init.takes(9_000), () => (call) => call.respond('late')) });
  const b = bench({ functions: { starting, echo }, limits: { processors: 1 } });
  const late = Array.from({ length: 6 }, () => b.call(deployment('starting')));
  await b.pass(100);
  const quick = b.call(deployment('echo'), 'quick');
  await b.pass(4_000);
  assert.equal(quick.outcome().text, '"quick"');
  await b.pass(10_000);
  assert.deepEqual(
    late.map((call) => call.outcome().text),
    late.map(() => '"late"'),
  );
  assert.equal(b.engine.load().shed, 0);
});
