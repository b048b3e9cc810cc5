import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bench, deployment, slow } from './engine.testing.ts';
import type { Bench, Call } from './engine.testing.ts';

const RESERVED = 'ReservedFunctionConcurrentInvocationLimitExceeded';
const ACCOUNT = 'ConcurrentInvocationLimitExceeded';

const version = (functionName: string, name: string) => deployment('slow', { functionName, version: name, timeoutMs: 600_000 });
const reasonOf = (call: Call) => call.outcomes.map((outcome) => ('reason' in outcome ? outcome.reason : outcome.kind)).join();
const kinds = (calls: readonly Call[]) =>
  Object.fromEntries(Object.entries(Object.groupBy(calls, reasonOf)).map(([k, of]) => [k, of!.length]));
const runningOf = (b: Bench, id: string) => b.engine.statsOf(id)?.busy ?? 0;

/** Moves on by `ms` and returns how many of a function's instances were at work at most. */
async function mostBusy(b: Bench, functionName: string, ms: number): Promise<number> {
  let most = 0;
  for (let passed = 0; passed < ms; passed += 5) {
    await b.pass(5);
    const busy = b.engine.stats().filter((each) => each.functionName === functionName);
    most = Math.max(
      most,
      busy.reduce((sum, each) => sum + each.busy, 0),
    );
  }
  return most;
}

test('a reservation holds for all versions together, who take turns, and wait for nothing but each other', async () => {
  const b = bench({ functions: { slow } });
  b.engine.reserve('f', 3);
  const [one, two] = [version('f', '1'), version('f', '2')];
  const ended: string[] = [];
  const call = (d: typeof one) => b.call(d, { ms: 100 }, { listener: { end: () => void ended.push(d.version) } });
  for (let n = 0; n < 9; n++) call(one);
  await b.pass(10);
  for (let n = 0; n < 9; n++) call(two);
  assert.equal(await mostBusy(b, 'f', 1_000), 3);
  assert.equal(ended.length, 18);
  // Its first turn boots its template, its next one runs it.
  assert.ok(ended.indexOf('2') <= 8, ended.join(''));
  assert.ok(ended.lastIndexOf('1') >= 9, ended.join(''));
  assert.deepEqual(b.engine.load().shares.reserved, { f: { running: 0, limit: 3 } });
});

test('what rests of one version keeps no other from running', async () => {
  const b = bench({ functions: { slow } });
  b.engine.reserve('f', 2);
  for (const d of ['1', '2', '3'].map((name) => version('f', name))) {
    const calls = [b.call(d, { ms: 10 }), b.call(d, { ms: 10 })];
    await b.pass(50);
    assert.deepEqual(kinds(calls), { answered: 2 });
    assert.equal(b.engine.statsOf(d.id)!.idle, 2);
  }
});

test('an instance that runs several at a time runs no more than are reserved', async () => {
  const b = bench({ functions: { slow } });
  b.engine.reserve('f', 15);
  const d = deployment('slow', { functionName: 'f', maxInstances: 2, spec: { concurrency: 10 } });
  const calls = Array.from({ length: 40 }, () => b.call(d, { ms: 100 }));
  await b.pass(50);
  assert.equal(b.engine.load().running, 15);
  await b.pass(400);
  assert.deepEqual(kinds(calls), { answered: 40 });
});

test('what is reserved is there under a flood of the others, who have the rest', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 6 } });
  b.engine.reserve('kept', 2);
  b.engine.reserve('more', 1);
  const others = [version('a', '1'), version('b', '1')];
  const flood = Array.from({ length: 40 }, (_, n) => b.call(others[n % 2]!, { ms: 200 }));
  await b.pass(50);
  assert.deepEqual(b.engine.load().shares, {
    unreserved: { running: 3, limit: 3 },
    reserved: { kept: { running: 0, limit: 2 }, more: { running: 0, limit: 1 } },
  });
  const kept = version('kept', '1');
  const calls = Array.from({ length: 2 }, () => b.call(kept, { ms: 20 }));
  await b.pass(40);
  assert.deepEqual(kinds(calls), { answered: 2 });
  await b.pass(4_000);
  assert.deepEqual(kinds(flood), { answered: 40 });
});

test('a reservation that is made under a flood is there at once, and the others go down to the rest', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 4 } });
  const [other, kept] = [version('other', '1'), version('kept', '1')];
  const flood = Array.from({ length: 20 }, () => b.call(other, { ms: 200 }));
  await b.pass(20);
  const waits = b.call(kept, { ms: 20 });
  await b.pass(20);
  assert.deepEqual(waits.outcomes, []);
  b.engine.reserve('kept', 3);
  await b.pass(30);
  assert.equal(reasonOf(waits), 'answered');
  await b.pass(250);
  assert.equal(runningOf(b, other.id), 1);
  b.engine.reserve('kept', undefined);
  assert.equal(runningOf(b, other.id), 4);
  await b.pass(2_000);
  assert.deepEqual(kinds(flood), { answered: 20 });
});

test('so much is left to the others, also where more is reserved than there is', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 4, unreservedInvocations: 2 } });
  b.engine.reserve('kept', 3);
  const [other, kept] = [version('other', '1'), version('kept', '1')];
  const calls = [other, kept].flatMap((d) => Array.from({ length: 5 }, () => b.call(d, { ms: 100 })));
  await b.pass(50);
  assert.deepEqual(b.engine.load().shares, { unreserved: { running: 2, limit: 2 }, reserved: { kept: { running: 3, limit: 3 } } });
  await b.pass(500);
  assert.deepEqual(kinds(calls), { answered: 10 });
});

test('a reservation that changes holds at once for those who run and wait: down, up, away, and back', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 10 } });
  const [one, two] = [version('f', '1'), version('f', '2')];
  b.engine.reserve('f', 4);
  const calls = Array.from({ length: 60 }, (_, n) => b.call(n % 2 ? one : two, { ms: 100 }));
  assert.equal(await mostBusy(b, 'f', 50), 4);
  b.engine.reserve('f', 2);
  await b.pass(100);
  assert.equal(await mostBusy(b, 'f', 200), 2);
  b.engine.reserve('f', 6);
  assert.equal(b.engine.load().running, 6);
  assert.equal(await mostBusy(b, 'f', 95), 6);
  b.engine.reserve('f', undefined);
  assert.deepEqual(b.engine.load().shares, { unreserved: { running: 10, limit: 10 }, reserved: {} });
  b.engine.reserve('f', 3);
  assert.deepEqual(b.engine.load().shares, { unreserved: { running: 0, limit: 7 }, reserved: { f: { running: 10, limit: 3 } } });
  await b.pass(110);
  assert.equal(await mostBusy(b, 'f', 200), 3);
  await b.pass(3_000);
  assert.deepEqual(kinds(calls), { answered: 60 });
  assert.deepEqual(b.engine.load().shares.reserved, { f: { running: 0, limit: 3 } });
});

test('a reservation of 0 refuses who waits and who comes, what runs comes to its end, and taken back it lets all run', async () => {
  const b = bench({ functions: { slow } });
  const [one, two] = [version('f', '1'), version('f', '2')];
  b.engine.reserve('f', 1);
  const runs = b.call(one, { ms: 100 });
  await b.pass(10);
  const wait = [b.call(one, { ms: 1 }), b.call(two, { ms: 1 })];
  await b.pass(10);
  b.engine.reserve('f', 0);
  const came = [b.call(one, { ms: 1 }), b.call(two, { ms: 1 })];
  await b.pass(1);
  assert.deepEqual(kinds([...wait, ...came]), { [RESERVED]: 4 });
  await b.pass(100);
  assert.equal(reasonOf(runs), 'answered');
  b.engine.reserve('f', undefined);
  const after = [b.call(one, { ms: 1 }), b.call(two, { ms: 1 })];
  await b.pass(50);
  assert.deepEqual(kinds(after), { answered: 2 });
});

test('who cannot wait is told which limit is reached', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 3, queueDepth: 1, queueAgeMs: 50 } });
  b.engine.reserve('f', 1);
  const [mine, other] = [version('f', '1'), version('other', '1')];
  b.call(mine, { ms: 500 });
  for (let n = 0; n < 2; n++) {
    b.call(other, { ms: 500 });
    await b.pass(10);
  }
  const [aged, ofOther, refused, refusedOther] = [mine, other, mine, other].map((d) => b.call(d, { ms: 1 }));
  await b.pass(1);
  assert.deepEqual([reasonOf(refused!), reasonOf(refusedOther!)], [RESERVED, ACCOUNT]);
  await b.pass(60);
  assert.deepEqual([reasonOf(aged!), reasonOf(ofOther!)], [RESERVED, ACCOUNT]);
});

test('versions that were replaced run under the same reservation to their end', async () => {
  const b = bench({ functions: { slow } });
  b.engine.reserve('f', 2);
  const [old, fresh] = [version('f', '$LATEST'), version('f', '$LATEST')];
  const calls = Array.from({ length: 4 }, () => b.call(old, { ms: 100 }));
  await b.pass(20);
  void b.engine.retire('f', new Set([fresh.id]));
  for (let n = 0; n < 4; n++) calls.push(b.call(fresh, { ms: 100 }));
  assert.equal(await mostBusy(b, 'f', 800), 2);
  assert.deepEqual(kinds(calls), { answered: 8 });
  assert.equal(b.engine.statsOf(old.id), undefined);
});

test('a function that is gone gives back what it had, also while something of it runs', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 3 } });
  b.engine.reserve('f', 2);
  const [mine, other] = [version('f', '1'), version('other', '1')];
  b.call(mine, { ms: 100 });
  const calls = Array.from({ length: 6 }, () => b.call(other, { ms: 300 }));
  await b.pass(20);
  void b.engine.retire('f');
  b.engine.reserve('f', undefined);
  assert.deepEqual(b.engine.load().shares, { unreserved: { running: 3, limit: 3 }, reserved: {} });
  await b.pass(110);
  assert.equal(runningOf(b, other.id), 3);
  await b.pass(1_000);
  assert.deepEqual(kinds(calls), { answered: 6 });
});

test('of what is handed ahead no more begins than is reserved, also where that is made less', async () => {
  const b = bench({ functions: { slow }, limits: { processors: 1 }, sandboxes: { handsAhead: true } });
  const d = version('f', '1');
  b.engine.reserve('f', 4);
  const calls: Call[] = [];
  const short = async (ms: number) => {
    let most = 0;
    for (let passed = 0; passed < ms; passed += 2) {
      for (let n = 0; n < 4; n++) calls.push(b.call(d, { ms: 1 }));
      await b.pass(2);
      most = Math.max(most, b.engine.load().shares.reserved['f']!.running);
    }
    return most;
  };
  assert.ok((await short(200)) <= 4);
  assert.ok((b.engine.statsOf(d.id)!.causes.warm['handed ahead'] ?? 0) > 0);
  b.engine.reserve('f', 1);
  await short(100);
  assert.equal(await short(100), 1);
  await b.pass(2_000);
  assert.deepEqual(kinds(calls), { answered: calls.length });
});

test('some wait for the machine and others for their share, and all have their turn', async () => {
  const b = bench({ functions: { slow }, limits: { concurrentInvocations: 4, maxInstancesTotal: 3 } });
  b.engine.reserve('kept', 1);
  const [other, third, kept] = [version('other', '1'), version('third', '1'), version('kept', '1')];
  const flood = Array.from({ length: 3 }, () => b.call(other, { ms: 100 }));
  await b.pass(20);
  flood.push(...Array.from({ length: 10 }, () => b.call(third, { ms: 100 })));
  await b.pass(20);
  const call = b.call(kept, { ms: 10 });
  await b.pass(250);
  assert.equal(reasonOf(call), 'answered');
  await b.pass(2_000);
  assert.deepEqual(kinds(flood), { answered: 13 });
});
