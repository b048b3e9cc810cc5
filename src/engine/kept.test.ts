import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bench } from './engine.testing.ts';
import { bench, deployment, sim } from './engine.testing.ts';
import type { Deployment, KeptStats, Scaling } from './mod.ts';

const MINUTE_MS = 60_000;

const slow = sim((call) => call.after(500, () => call.respond('done')));

const kept = (b: Bench, d: Deployment): KeptStats => b.engine.statsOf(d.id)!.kept!;
const instances = (b: Bench): number => b.engine.stats().reduce((sum, { idle, busy }) => sum + idle + busy, 0);
/** Long times, in which no boot ends. */
async function wait(b: Bench, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    b.clock.advance(1_000);
    await b.pass(1);
  }
}

const rescaled = (d: Deployment, scaling: Partial<Scaling>): Deployment => ({ ...d, scaling });

test('a minimum is made as soon as it is asked for, and kept however little happens', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { scaling: { minInstances: 3 } });
  b.engine.rescale(d);
  await b.pass(100);
  assert.equal(instances(b), 3);
  assert.deepEqual(b.starts.map(({ kind, cause }) => `${kind}: ${cause}`).toSorted(), [
    'boot: kept ahead',
    'fork: kept ahead',
    'fork: kept ahead',
    'fork: kept ahead',
  ]);
  await wait(b, 200 * MINUTE_MS);
  assert.equal(instances(b), 3);
  assert.deepEqual(b.sandboxes.counts.forks, 3);
});

test('nothing runs for a function whose minimum is there and that nobody calls', async () => {
  const b = bench({ functions: { slow } });
  b.engine.rescale(deployment('slow', { scaling: { minInstances: 2 } }));
  await b.pass(100);
  let timers = 0;
  const { after } = b.clock;
  (b.clock as { after: typeof after }).after = (delayMs, run) => {
    timers++;
    return after(delayMs, run);
  };
  await wait(b, 30 * MINUTE_MS);
  // The node looks after its memory twice a minute, for all functions together.
  assert.equal(timers, 60);
});

test('a changed number boots nothing anew: what is too few is forked, what is too many goes', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow');
  b.call(d);
  await b.pass(1_000);
  assert.deepEqual({ instances: instances(b), boots: b.sandboxes.counts.boots }, { instances: 1, boots: 1 });
  b.engine.rescale(rescaled(d, { provisioned: 5 }));
  await b.pass(100);
  assert.deepEqual(kept(b, d), {
    ...{ wanted: 5, minimum: 0, requested: 5, allocated: 5, available: 5, provisionedInvocations: 0, spilloverInvocations: 0 },
    excessBurstCapacity: kept(b, d).excessBurstCapacity,
  });
  b.engine.rescale(rescaled(d, { provisioned: 2 }));
  await wait(b, 2 * MINUTE_MS);
  assert.equal(instances(b), 2);
  b.engine.rescale(rescaled(d, {}));
  await wait(b, 11 * MINUTE_MS);
  assert.equal(instances(b), 0);
  assert.equal(b.engine.stats()[0]!.kept, undefined);
  assert.equal(b.sandboxes.counts.boots, 1);
});

test('what provisioned instances take is counted apart from what is beyond them', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { scaling: { provisioned: 2 } });
  b.engine.rescale(d);
  await b.pass(100);
  const calls = [1, 2, 3].map(() => b.call(d));
  await b.pass(1_000);
  for (const call of calls) assert.equal(call.outcome().kind, 'answered');
  const { provisionedInvocations, spilloverInvocations } = kept(b, d);
  assert.deepEqual({ provisionedInvocations, spilloverInvocations }, { provisionedInvocations: 2, spilloverInvocations: 1 });
});

test('a lost one is made again at once, and one that never served later and later, until that is given up', async () => {
  let dies = false;
  const b = bench({
    functions: { mortal: sim((call) => (call.input()['die'] ? call.exit({ kind: 'exited', code: 1 }) : call.respond(1))) },
  });
  const d = deployment('mortal', { scaling: { minInstances: 2 } });
  b.engine.rescale(d);
  await b.pass(100);
  b.call(d, { die: true });
  await b.pass(50);
  assert.equal(instances(b), 2);

  dies = true;
  const broken = bench({
    functions: {
      broken: {
        load: () => {
          if (dies) throw new Error('no');
          return () => (call) => call.respond(1);
        },
      },
    },
  });
  const e = deployment('broken', { scaling: { provisioned: 2 } });
  broken.engine.rescale(e);
  await broken.pass(50);
  assert.deepEqual(kept(broken, e).failure, { reason: 'init failed: Error: no', givenUp: false });
  await wait(broken, 3 * MINUTE_MS);
  assert.deepEqual(kept(broken, e).failure, { reason: 'init failed: Error: no', givenUp: true });
  assert.equal(broken.sandboxes.counts.boots, 10);
  dies = false;
  const call = broken.call(e);
  await broken.pass(100);
  assert.equal(call.outcome().kind, 'answered');
  await broken.pass(1_000);
  assert.deepEqual([kept(broken, e).available, kept(broken, e).failure], [2, undefined]);
});

test('those with an init of their own come up as many at a time as there are processors, and are available after it', async () => {
  const b = bench({
    functions: { own: { ...slow, blockers: [{ kind: 'timer' }] as never } },
    limits: { processors: 2 },
    sandboxes: { bootMs: 100 },
  });
  const d = deployment('own', { scaling: { provisioned: 5 } });
  b.engine.rescale(d);
  const seen: (readonly [number, number])[] = [];
  for (let ms = 0; ms < 600; ms += 50) {
    await b.pass(50);
    seen.push([kept(b, d).allocated, kept(b, d).available]);
  }
  assert.deepEqual(seen.at(-1), [5, 5]);
  for (const [allocated, available] of seen) assert.ok(allocated - available <= 2);
  assert.ok(seen.some(([allocated, available]) => allocated > available));
});

test('provisioned instances make no room for others, the minimum does when nothing else can', async () => {
  const b = bench({ functions: { slow, other: slow }, limits: { maxInstancesTotal: 4 } });
  const promised = deployment('slow', { scaling: { provisioned: 2 } });
  const least = deployment('slow', { functionName: 'least', scaling: { minInstances: 2 } });
  b.engine.rescale(promised);
  b.engine.rescale(least);
  await b.pass(100);
  const d = deployment('other');
  const calls = [b.call(d), b.call(d), b.call(d)];
  await b.pass(400);
  const sizes = () => Object.fromEntries(b.engine.stats().map(({ functionName, idle, busy }) => [functionName, idle + busy]));
  assert.deepEqual(sizes(), { slow: 2, least: 0, other: 2 });
  await b.pass(1_000);
  for (const call of calls) assert.equal(call.outcome().kind, 'answered');
  // They come back when there is room: not at the cost of those that rest elsewhere.
  await wait(b, 12 * MINUTE_MS);
  assert.deepEqual(sizes(), { slow: 2, least: 2, other: 0 });
});

test('there are never more instances than the function may have, and those beyond a smaller number end with their invocations', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { scaling: { minInstances: 8, maxInstances: 5 } });
  b.engine.rescale(d);
  await b.pass(100);
  assert.equal(instances(b), 5);
  const calls = Array.from({ length: 7 }, () => b.call(d));
  await b.pass(100);
  assert.equal(instances(b), 5);
  b.engine.rescale(rescaled(d, { maxInstances: 1 }));
  await b.pass(3_000);
  assert.equal(instances(b), 1);
  for (const call of calls) assert.equal(call.outcome().kind, 'answered');
  b.engine.rescale(rescaled(d, { maxInstances: 0 }));
  const refused = b.call(d).outcome;
  await b.pass(10);
  assert.equal(refused().kind, 'refused');
});

test('how many may wait, and for how long, is the function’s own', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { scaling: { maxInstances: 1, queueDepth: 1, queueAgeMs: 200 } });
  const [first, second, third] = [b.call(d), b.call(d), b.call(d)];
  await b.pass(1);
  assert.equal(third.outcome().kind, 'refused');
  await b.pass(250);
  assert.equal(second.outcome().kind, 'refused');
  await b.pass(300);
  assert.equal(first.outcome().kind, 'answered');
});

test('an idle instance that is not wanted goes after the scale-down delay', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { scaling: { scaleDownDelayMs: 30_000 } });
  b.call(d);
  await b.pass(1_000);
  assert.equal(instances(b), 1);
  await b.pass(30_000);
  assert.equal(instances(b), 0);
});

test('several invocations at a time: instances are forked ahead of load, stay for the grace, and none is left at rest', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { spec: { concurrency: 10 }, scaling: { scaleDownDelayMs: 1_000 } });
  // Eight at a time on average: one instance has the slots, and 8 of 10 are more than 70 %.
  for (let round = 0; round < 60; round++) {
    for (let n = 0; n < 8; n++) b.call(d);
    await b.pass(500);
  }
  assert.equal(kept(b, d).wanted, 2);
  assert.equal(instances(b), 2);
  await wait(b, 3 * MINUTE_MS);
  assert.deepEqual([kept(b, d).wanted, instances(b)], [0, 0]);
});

test('a burst forks for whoever finds no slot at once, without waiting for a tick, and no more than that', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { spec: { concurrency: 10 } });
  void b.engine.prepare(d);
  await b.pass(50);
  const calls = Array.from({ length: 500 }, () => b.call(d));
  await b.pass(20);
  assert.equal(instances(b), 50);
  await b.pass(600);
  for (const call of calls) assert.equal(call.outcome().kind, 'answered');
});

test('a deployment that was retired keeps nothing', async () => {
  const b = bench({ functions: { slow } });
  const d = deployment('slow', { scaling: { minInstances: 2 } });
  b.engine.rescale(d);
  await b.pass(100);
  void b.engine.retire('slow');
  await b.pass(100);
  assert.equal(b.sandboxes.counts.instances, 0);
  assert.deepEqual(b.engine.stats(), []);
});
