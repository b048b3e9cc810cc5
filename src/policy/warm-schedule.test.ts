import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSchedule } from './cron.ts';
import { scheduledWarmth } from './warm-schedule.ts';
import type { WarmWindow } from './warm-schedule.ts';

const HOUR = 3_600_000;
const at = (text: string): number => Date.parse(text);
const windowOf = (expression: string, hours: number, instances: number, timezone?: string): WarmWindow => ({
  schedule: parseSchedule(expression, timezone),
  forMs: hours * HOUR,
  instances,
});

test('a window is open from its time on for as long as it says, on the days it says', () => {
  const office = [windowOf('cron(0 8 ? * MON-FRI *)', 10, 5, 'Europe/Berlin')];
  // A Friday, and the next Monday.
  assert.deepEqual(scheduledWarmth(office, at('2026-11-20T06:59:59Z')), { instances: 0, untilMs: at('2026-11-20T07:00:00Z') });
  assert.deepEqual(scheduledWarmth(office, at('2026-11-20T07:00:00Z')), { instances: 5, untilMs: at('2026-11-20T17:00:00Z') });
  assert.deepEqual(scheduledWarmth(office, at('2026-11-20T17:00:00Z')), { instances: 0, untilMs: at('2026-11-23T07:00:00Z') });
});

test('of windows open at the same time the largest decides, and the next change is the first of any', () => {
  const windows = [windowOf('cron(0 8 * * ? *)', 10, 5), windowOf('cron(0 12 * * ? *)', 1, 20)];
  assert.deepEqual(scheduledWarmth(windows, at('2026-11-22T12:30:00Z')), { instances: 20, untilMs: at('2026-11-22T13:00:00Z') });
  assert.deepEqual(scheduledWarmth(windows, at('2026-11-22T13:00:00Z')), { instances: 5, untilMs: at('2026-11-22T18:00:00Z') });
});

test('windows without a gap between them are one, and one that is over for good changes nothing any more', () => {
  const always = [windowOf('rate(1 hour)', 2, 3)];
  const { instances, untilMs } = scheduledWarmth(always, at('2026-11-22T12:30:00Z'));
  assert.equal(instances, 3);
  assert.ok(untilMs! >= at('2026-11-22T12:30:00Z') + 10 * HOUR);
  const once = [windowOf('at(2026-11-22T08:00:00)', 1, 3)];
  assert.deepEqual(scheduledWarmth(once, at('2026-11-22T08:30:00Z')), { instances: 3, untilMs: at('2026-11-22T09:00:00Z') });
  assert.deepEqual(scheduledWarmth(once, at('2026-11-22T09:00:00Z')), { instances: 0, untilMs: undefined });
  assert.deepEqual(scheduledWarmth([], 0), { instances: 0, untilMs: undefined });
});

test('nothing changes before the time that is given for the next change', () => {
  const expressions = fc.constantFrom(
    'rate(7 minutes)',
    'rate(3 hours)',
    'cron(0/20 8-17 ? * MON-FRI *)',
    'cron(0 2 L * ? *)',
    'at(2026-11-25T08:00:00)',
  );
  const windows = fc.array(fc.record({ expression: expressions, hours: fc.integer({ min: 1, max: 40 }), instances: fc.nat(9) }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(
      windows,
      fc.integer({ min: 0, max: 14 * 24 * 60 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (given, minute, part) => {
        const all = given.map(({ expression, hours, instances }) => windowOf(expression, hours / 4, instances));
        const nowMs = at('2026-11-22T00:00:00Z') + minute * 60_000;
        const { instances, untilMs = nowMs + HOUR } = scheduledWarmth(all, nowMs);
        assert.ok(untilMs > nowMs);
        assert.equal(scheduledWarmth(all, nowMs + Math.floor((untilMs - nowMs) * part)).instances, instances);
      },
    ),
  );
});
