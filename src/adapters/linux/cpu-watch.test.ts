import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../kernel/mod.ts';
import { CpuWatch, ENDING, harmless } from './cpu-watch.ts';
import type { Computing } from './cpu-watch.ts';

/** A machine of one processor, which `share` says who uses; the rest is idle. */
function machine() {
  const clock = manualClock();
  const used = new Map<number, number>();
  let idleMs = 0;
  const all: boolean[] = [];
  const watch = new CpuWatch({
    clock,
    processors: 1,
    idleMs: () => idleMs,
    usedMs: (pid) => used.get(pid),
    yieldAll: (yields) => all.push(yields),
  });
  const run = (ms: number, share: Readonly<Record<number, number>>) => {
    for (let past = 0; past < ms; past += 10) {
      let restMs = 10;
      for (const [pid, part] of Object.entries(share)) {
        used.set(Number(pid), (used.get(Number(pid)) ?? 0) + 10 * part);
        restMs -= 10 * part;
      }
      idleMs += restMs;
      clock.advance(10);
    }
  };
  return { watch, run, all };
}

function instance(pid: number, weight = 72) {
  const past = harmless();
  const seen = { yields: false, processes: 1, milli: undefined as number | undefined };
  let invocation: number | undefined = 1;
  const computing: Computing = {
    weight,
    invocation: () => invocation,
    processes: () => Array.from({ length: seen.processes }, () => pid),
    yield: (yields) => void (seen.yields = yields),
    throttle: (milli) => void (seen.milli = milli),
    past,
  };
  const become = (next: number | undefined) => void (invocation = next);
  return { computing, seen, past, become };
}

test('what computes for long yields until its invocation ends; what was asked a moment ago does not', () => {
  const { watch, run, all } = machine();
  const [hog, short] = [instance(1), instance(2)];
  for (const { computing } of [hog, short]) watch.add(computing);
  let calls = 1;
  for (let i = 0; i < 20; i++) {
    short.become(++calls);
    run(50, { 1: 0.8, 2: 0.2 });
  }
  assert.deepEqual([hog.seen.yields, short.seen.yields, all.at(-1)], [true, false, true]);
  hog.become(undefined);
  short.become(undefined);
  run(200, {});
  assert.deepEqual([hog.seen.yields, all.at(-1)], [false, false]);
});

test('what begins where a hog was yields until it has ended otherwise', () => {
  const { watch, run } = machine();
  const [hog, other] = [instance(1), instance(2)];
  for (const { computing } of [hog, other]) watch.add(computing);
  run(300, { 1: 0.5, 2: 0.5 });
  hog.become(2);
  run(50, { 2: 1 });
  run(50, { 2: 1 });
  assert.deepEqual([hog.past.hog, hog.seen.yields], [true, true], 'at once, though it has used nothing yet');
  hog.become(3);
  run(50, { 2: 1 });
  assert.equal(hog.past.hog, false);
  run(50, { 2: 1 });
  assert.equal(hog.seen.yields, false);
});

test('nobody yields while there is a processor for everybody', () => {
  const { watch, run, all } = machine();
  const alone = instance(1);
  watch.add(alone.computing);
  run(500, { 1: 0.6 });
  assert.deepEqual([alone.seen.yields, all], [false, []]);
});

test('what others leave no time has its turn', () => {
  const { watch, run, all } = machine();
  const hog = instance(1);
  watch.add(hog.computing);
  run(400, { 1: 1 });
  assert.equal(hog.seen.yields, true);
  const yielded = new Set<boolean>();
  for (let i = 0; i < 10; i++) {
    run(50, { 99: 1 });
    yielded.add(hog.seen.yields);
  }
  assert.deepEqual([yielded.size, all], [2, [true, false]]);
});

test('hogs of different weights do not yield to each other', () => {
  const { watch, run, all } = machine();
  const [light, heavy] = [instance(1, 72), instance(2, 145)];
  for (const { computing } of [light, heavy]) watch.add(computing);
  run(400, { 1: 0.33, 2: 0.67 });
  assert.deepEqual([light.seen.yields, heavy.seen.yields, all.at(-1)], [false, false, true]);
});

test('a hog that is being ended yields to the last', () => {
  const { watch, run } = machine();
  const hog = instance(1);
  watch.add(hog.computing);
  run(400, { 1: 1 });
  hog.become(ENDING);
  run(200, { 1: 1 });
  assert.equal(hog.seen.yields, true);
});

test('a crowd is throttled where processors are scarce, and so is what begins in its place', () => {
  const { watch, run } = machine();
  const [crowd, next] = [instance(1), instance(2)];
  crowd.seen.processes = 200;
  watch.add(crowd.computing);
  run(300, { 1: 0.5 });
  assert.equal(crowd.seen.milli, undefined);
  run(100, { 1: 1 });
  assert.equal(crowd.seen.milli, 72);
  watch.ends(crowd.computing);
  crowd.become(ENDING);
  run(100, { 1: 1 });
  assert.equal(crowd.seen.milli, 250, 'what is killed gets more, to come to its end');
  watch.begins({ ...next.computing, past: crowd.past });
  assert.equal(next.seen.milli, 72);
});
