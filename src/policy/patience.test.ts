import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  crowded,
  ENOUGH_PER_PROCESSOR,
  MOST_AHEAD,
  mostAhead,
  mostMoreAtOnce,
  startCostMs,
  worthHandingAhead,
  worthWaiting,
} from './mod.ts';
import type { Line } from './mod.ts';

const ms = fc.double({ min: 0, max: 1_000, noNaN: true });
const lines = fc.record({
  waiting: fc.nat(600),
  instances: fc.nat(64),
  busy: fc.nat(64),
  concurrency: fc.integer({ min: 1, max: 100 }),
  processors: fc.integer({ min: 1, max: 16 }),
  serviceMs: fc.option(ms, { nil: undefined }),
  elapsedMs: ms,
  startMs: fc.double({ min: 1, max: 50, noNaN: true }),
});

function holds(name: string, check: (line: Line, other: Line) => void): void {
  test(name, () => fc.assert(fc.property(lines, lines, check), { numRuns: 2_000 }));
}

/** What is true of the one is true of the other. */
const implies = (one: boolean, other: boolean) => assert.ok(!one || other);

holds('without history, or without an instance, nobody waits', (line) => {
  const unknown = { ...line, serviceMs: undefined };
  assert.equal(worthWaiting(unknown), false);
  assert.equal(crowded(unknown), false);
  assert.equal(worthWaiting({ ...line, instances: 0, busy: 0 }), false);
  assert.equal(crowded({ ...line, busy: 0 }), false);
});

holds('what makes the line longer or slower never makes waiting better', (line, { waiting, elapsedMs, serviceMs = 0 }) => {
  if (line.serviceMs === undefined) return;
  const longer = { ...line, waiting: line.waiting + waiting };
  const stuck = { ...line, elapsedMs: line.elapsedMs + elapsedMs };
  const slower = { ...line, serviceMs: line.serviceMs + serviceMs };
  for (const worse of [longer, stuck, slower]) {
    implies(worthWaiting(worse), worthWaiting(line));
    implies(crowded(worse), crowded(line));
  }
});

holds('more slots, or a dearer start, never make waiting worse', (line, { instances, concurrency, busy, startMs }) => {
  const larger = { ...line, instances: line.instances + instances, busy: line.busy + busy };
  const wider = { ...line, concurrency: line.concurrency + concurrency };
  const dearer = { ...line, startMs: line.startMs + startMs };
  for (const better of [larger, wider, dearer]) {
    if (line.instances > 0) implies(worthWaiting(line), worthWaiting(better));
    implies(crowded(line), crowded(better));
  }
});

holds('nobody waits behind invocations that run for longer than a start takes, unless enough of them end by turns', (line) => {
  if (line.elapsedMs < line.startMs) return;
  assert.equal(crowded(line), false);
  if (line.instances * line.concurrency <= line.waiting + 1) assert.equal(worthWaiting(line), false);
});

holds('the number at work at most doubles in a step, and no machine begins below what its processors can do', ({ busy, processors }) => {
  const most = mostMoreAtOnce({ busy, processors });
  assert.ok(most >= 1 && most >= busy && most <= Math.max(busy, ENOUGH_PER_PROCESSOR * processors));
});

test('a few instances of a fast function are enough for 64 callers, one of a slow one for nobody', () => {
  const busy = 2 * ENOUGH_PER_PROCESSOR;
  const line = { waiting: 60, instances: 4, busy, concurrency: 1, processors: 2, elapsedMs: 0.1, startMs: 3 };
  assert.equal(worthWaiting({ ...line, serviceMs: 0.1 }), true);
  assert.equal(worthWaiting({ ...line, serviceMs: 0.5 }), true, 'the processors are busy');
  assert.equal(worthWaiting({ ...line, serviceMs: 0.5, processors: 4 }), false, 'they are not');
  assert.equal(worthWaiting({ ...line, serviceMs: 5 }), false);
});

test('a start costs what the first invocation took longer, within bounds', () => {
  assert.equal(startCostMs(undefined, undefined), 3);
  assert.equal(startCostMs(undefined, 100), 3);
  assert.equal(startCostMs(8, 2), 6);
  assert.equal(startCostMs(8, undefined), 8);
  assert.equal(startCostMs(8, 9), 1);
  assert.equal(startCostMs(900, 2), 50);
});

holds('only short invocations of a crowd are handed ahead, and no instance gets more than its share', (line, { waiting, busy }) => {
  implies(worthHandingAhead(line), crowded(line) && line.serviceMs! < 2 && line.concurrency === 1);
  const most = mostAhead(waiting, busy);
  assert.ok(most <= MOST_AHEAD && most <= waiting && most * Math.max(1, busy) < waiting + Math.max(1, busy));
});
