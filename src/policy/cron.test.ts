import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { HearthError } from '../kernel/mod.ts';
import { parseSchedule } from './cron.ts';

const VECTORS = new URL('../../../shared/vectors/aws-schedule-expressions.json', import.meta.url);
type Vectors = { readonly cases: readonly { readonly expression: string; readonly valid: boolean }[] };

test('what EventBridge takes is taken, and what it refuses is refused', async (t) => {
  const text = await readFile(VECTORS, 'utf8').catch(() => undefined);
  if (text === undefined) return t.skip('the vectors are not beside the project');
  const { cases } = JSON.parse(text) as Vectors;
  assert.ok(cases.length > 20);
  for (const { expression, valid } of cases) assert.equal(isValid(expression), valid, expression);
});

const isValid = (expression: string, timezone?: string): boolean => {
  try {
    parseSchedule(expression, timezone);
    return true;
  } catch (error) {
    assert.ok(error instanceof HearthError && error.code === 'InvalidParameterValueException', String(error));
    assert.match(error.message, /\.$/);
    return false;
  }
};

/** The next times after `from`, as the clock of the zone shows them. */
function times(expression: string, from: string, { timezone = 'UTC', count = 3 } = {}): string[] {
  const schedule = parseSchedule(expression, timezone);
  const shown: string[] = [];
  let atMs: number | undefined = Date.parse(from);
  while (shown.length < count && (atMs = schedule.next(atMs)) !== undefined)
    shown.push(
      Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timezone).toPlainDateTime().toString({ smallestUnit: 'minute' }),
    );
  return shown;
}

test('fields are lists, ranges, steps, names, and go round', () => {
  assert.deepEqual(times('cron(0 8 ? * MON-FRI *)', '2026-11-20T09:00:00Z'), ['2026-11-23T08:00', '2026-11-24T08:00', '2026-11-25T08:00']);
  assert.deepEqual(times('cron(5,35 14 * * ? *)', '2026-11-22T14:10:00Z'), ['2026-11-22T14:35', '2026-11-23T14:05', '2026-11-23T14:35']);
  assert.deepEqual(times('cron(10/20 * * * ? *)', '2026-11-22T14:10:00Z'), ['2026-11-22T14:30', '2026-11-22T14:50', '2026-11-22T15:10']);
  assert.deepEqual(times('cron(0 22-1/2 * * ? *)', '2026-11-22T14:00:00Z'), ['2026-11-22T22:00', '2026-11-23T00:00', '2026-11-23T22:00']);
  assert.deepEqual(times('cron(0 0 ? DEC-FEB SAT-sun *)', '2026-12-31T00:00:00Z'), [
    '2027-01-02T00:00',
    '2027-01-03T00:00',
    '2027-01-09T00:00',
  ]);
  assert.deepEqual(times('cron(0 0 1 1 ? 2030,2032)', '2026-12-31T00:00:00Z'), ['2030-01-01T00:00', '2032-01-01T00:00']);
  assert.deepEqual(times('cron(0 0 1-9/4 * ? *)', '2026-11-22T00:00:00Z'), ['2026-12-01T00:00', '2026-12-05T00:00', '2026-12-09T00:00']);
});

test('days are the last, the nearest weekday, the last or the third of their kind', () => {
  assert.deepEqual(times('cron(0 0 L * ? *)', '2028-01-31T00:00:00Z', { count: 2 }), ['2028-02-29T00:00', '2028-03-31T00:00']);
  assert.deepEqual(times('cron(0 0 LW * ? *)', '2026-01-01T00:00:00Z', { count: 2 }), ['2026-01-30T00:00', '2026-02-27T00:00']);
  // August 1 and 2 of 2026 are a Saturday and a Sunday, October 31 is a Saturday, May 31 a Sunday.
  assert.deepEqual(times('cron(0 0 1W 8 ? *)', '2026-07-30T00:00:00Z', { count: 1 }), ['2026-08-03T00:00']);
  assert.deepEqual(times('cron(0 0 2W 8 ? *)', '2026-07-30T00:00:00Z', { count: 1 }), ['2026-08-03T00:00']);
  assert.deepEqual(times('cron(0 0 31W * ? 2026)', '2026-04-30T00:00:00Z', { count: 4 }), [
    '2026-05-29T00:00',
    '2026-07-31T00:00',
    '2026-08-31T00:00',
    '2026-10-30T00:00',
  ]);
  assert.deepEqual(times('cron(15 10 ? * 6L 2002-2005)', '2005-10-01T00:00:00Z', { count: 9 }), [
    '2005-10-28T10:15',
    '2005-11-25T10:15',
    '2005-12-30T10:15',
  ]);
  assert.deepEqual(times('cron(0 2 ? * SAT#3 *)', '2026-11-20T00:00:00Z', { count: 2 }), ['2026-11-21T02:00', '2026-12-19T02:00']);
  assert.deepEqual(times('cron(0 2 ? * 7#5 *)', '2026-11-20T00:00:00Z', { count: 1 }), ['2027-01-30T02:00']);
  assert.deepEqual(times('cron(0 2 ? * L *)', '2026-11-20T00:00:00Z', { count: 1 }), ['2026-11-21T02:00']);
  assert.deepEqual(times('cron(0 0 31 2 ? *)', '2026-11-20T00:00:00Z'), []);
  assert.equal(parseSchedule('cron(0 0 31 2 ? *)').previous(Date.parse('2026-11-20T00:00:00Z')), undefined);
});

test('times that a clock leaves out are left out, and those it shows twice count once', () => {
  const timezone = 'Europe/Berlin';
  assert.deepEqual(times('cron(30 2 * * ? *)', '2026-03-27T12:00:00Z', { timezone }), [
    '2026-03-28T02:30',
    '2026-03-30T02:30',
    '2026-03-31T02:30',
  ]);
  const back = parseSchedule('cron(0/30 * * * ? *)', timezone);
  const first = Date.parse('2026-10-25T00:30:00Z');
  assert.equal(back.next(Date.parse('2026-10-25T00:00:00Z')), first);
  assert.equal(back.next(first), Date.parse('2026-10-25T02:00:00Z'));
  assert.equal(back.previous(Date.parse('2026-10-25T01:10:00Z')), first);
  assert.equal(isValid('at(2026-03-29T02:30:00)', timezone), false);
});

test('rates count from the epoch, and a single time comes once', () => {
  assert.deepEqual(times('rate(1 hour)', '2026-11-22T14:10:00Z', { count: 2 }), ['2026-11-22T15:00', '2026-11-22T16:00']);
  assert.equal(parseSchedule('rate(5 minutes)').previous(Date.parse('2026-11-22T14:12:00Z')), Date.parse('2026-11-22T14:10:00Z'));
  const once = parseSchedule('at(2026-11-22T08:00:00)', 'America/New_York');
  const atMs = Date.parse('2026-11-22T13:00:00Z');
  assert.deepEqual(
    [once.next(atMs - 1), once.next(atMs), once.previous(atMs), once.previous(atMs - 1)],
    [atMs, undefined, atMs, undefined],
  );
});

test('what is no schedule is refused with what is wrong about it', () => {
  const refused = [
    ...[
      'rate(1 minutes)',
      'rate(5 minute)',
      'rate(0 minutes)',
      'rate(10 seconds)',
      'rate(-1 minutes)',
      'rate(9999 days)',
      'rate(5)',
      'every hour',
      '',
    ],
    ...[
      'cron(0 8 ? * ? *)',
      'cron(0 8 * *)',
      'cron(*/0 * * * ? *)',
      'cron(0 8 9-5 * ? *)',
      'cron(0 8 * * ? 1969)',
      'cron(1-2-3 * * * ? *)',
      'cron(/5 * * * ? *)',
    ],
    ...[
      'cron(0 8 ? * MON#6 *)',
      'cron(0 8 ? * 8L *)',
      'cron(0 8 32W * ? *)',
      'cron(0 24 * * ? *)',
      'at(2026-02-30T08:00:00)',
      'at(tomorrow)',
    ],
    `cron(${'0,'.repeat(200)}0 8 * * ? *)`,
  ];
  for (const expression of refused) assert.equal(isValid(expression), false, expression);
  assert.equal(isValid('rate(1 day)', 'Mars/Olympus'), false);
});

test('what comes next is later, and is what came before just after it', () => {
  const field = (min: number, max: number) =>
    fc.oneof(
      fc.constant('*'),
      fc.integer({ min, max }).map(String),
      fc.tuple(fc.integer({ min, max }), fc.integer({ min: 1, max: 9 })).map(([from, by]) => `${from}/${by}`),
    );
  const expression = fc
    .tuple(field(0, 59), field(0, 23), fc.constantFrom('* * ?', 'L * ?', '15W * ?', '? * MON-FRI', '? * 3#2', '? 1-6 *', '1,31 * ?'))
    .map(([minutes, hours, days]) => `cron(${minutes} ${hours} ${days} *)`);
  const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu');
  fc.assert(
    fc.property(expression, zone, fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2027-12-31') }), (text, timezone, nowMs) => {
      const schedule = parseSchedule(text, timezone);
      const nextMs = schedule.next(nowMs)!;
      assert.ok(nextMs > nowMs);
      assert.equal(schedule.previous(nextMs), nextMs);
      const lastMs = schedule.previous(nextMs - 1)!;
      assert.ok(lastMs <= nowMs);
      assert.equal(schedule.next(lastMs), nextMs);
    }),
  );
});
