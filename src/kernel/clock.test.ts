import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock, systemClock } from './mod.ts';

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
