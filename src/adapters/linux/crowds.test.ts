import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../../kernel/mod.ts';
import { Crowds, isCrowd } from './crowds.ts';

const PROCESSORS = 2;
const SHARE = 72;

function open() {
  const clock = manualClock();
  const crowds = new Crowds({ clock, processors: PROCESSORS });
  const past = { crowdMs: -Infinity };
  const one = (weight = SHARE) => {
    const seen = { processes: 0, milli: undefined as number | undefined, changes: 0 };
    const crowding = {
      weight,
      past,
      processes: () => Array.from({ length: seen.processes }, (_, i) => i + 2),
      throttle(milli: number | undefined) {
        seen.milli = milli;
        seen.changes++;
      },
    };
    return { seen, crowding };
  };
  return { clock, crowds, one };
}

test('128 processes are a crowd', () => {
  assert.deepEqual([1, 127, 128].map(isCrowd), [false, false, true]);
});

test('a crowd gets its share, of the machine at most an eighth', () => {
  const { crowds, one } = open();
  const [small, large] = [one(), one(4_000)];
  for (const { crowding } of [small, large]) crowds.found(crowding);
  assert.deepEqual([small.seen.milli, large.seen.milli], [SHARE, 250]);
});

test('a crowd is throttled until it has had fewer processes for 2 s, however much others leave', () => {
  const { clock, crowds, one } = open();
  const { seen, crowding } = one();
  seen.processes = 200;
  crowds.found(crowding);
  const after = (ms: number) => {
    clock.advance(ms);
    crowds.review();
    return seen.milli;
  };
  const crowded = [after(100), after(5_000)];
  seen.processes = 3;
  assert.deepEqual([...crowded, after(1_999), after(1), seen.changes], [SHARE, SHARE, SHARE, undefined, 2]);
});

test('what begins within 10 s where a crowd was begins throttled, and is free when it is none', () => {
  const { clock, crowds, one } = open();
  const [first, second, third] = [one(), one(), one()];
  crowds.begins(first.crowding);
  assert.equal(first.seen.milli, undefined);
  crowds.found(first.crowding);
  crowds.delete(first.crowding);
  clock.advance(9_999);
  crowds.begins(second.crowding);
  assert.equal(second.seen.milli, SHARE);
  clock.advance(2_000);
  crowds.review();
  crowds.begins(third.crowding);
  assert.deepEqual([second.seen.milli, third.seen.changes], [undefined, 0]);
});
