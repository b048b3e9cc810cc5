import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastClock, manualClock, systemClock } from './mod.ts';

test('a manual clock runs timers in order of their time, and what was put off after those of its moment', () => {
  const clock = manualClock();
  const order: string[] = [];
  const note = (text: string) => order.push(`${clock.monotonicMs()} ${text}`);
  clock.after(2, () => note('later'));
  clock.after(1, () => {
    note('timer');
    clock.soon(() => {
      note('soon');
      clock.soon(() => note('soon after'));
      clock.after(0, () => note('at once'));
    });
    clock.after(0, () => note('same moment'));
  });
  clock.advance(5);
  assert.deepEqual(order, ['1 timer', '1 same moment', '1 soon', '1 at once', '1 soon after', '2 later']);
});

test('a manual clock that is advanced by nothing runs what is due, no more', () => {
  const clock = manualClock();
  const order: string[] = [];
  clock.soon(() => order.push('soon'));
  clock.after(0.1, () => order.push('later'));
  assert.deepEqual(order, []);
  clock.advance(0);
  assert.deepEqual(order, ['soon']);
});

test('the system clock puts off until the turn of the event loop is over', async () => {
  const order: string[] = [];
  const done = new Promise<void>((resolve) => {
    systemClock.soon(() => {
      order.push('soon');
      resolve();
    });
  });
  queueMicrotask(() => order.push('microtask'));
  order.push('now');
  await done;
  assert.deepEqual(order, ['now', 'microtask', 'soon']);
});

test('a fast clock shows the time of another one, and from then on goes so many times as fast', () => {
  const clock = manualClock();
  clock.advance(1_000);
  const fast = fastClock(clock, 60);
  const beganMs = clock.now();
  assert.deepEqual([fast.now(), fast.monotonicMs()], [beganMs, 60_000]);
  const order: string[] = [];
  fast.after(6_000, () => order.push(`due ${fast.now() - beganMs}`));
  fast.after(3_000, () => order.push('never')).cancel();
  fast.soon(() => order.push('soon'));
  clock.advance(99);
  assert.deepEqual([fast.now() - beganMs, fast.monotonicMs(), order], [5_940, 65_940, ['soon']]);
  clock.advance(1);
  assert.deepEqual(order, ['soon', 'due 6000']);
});
