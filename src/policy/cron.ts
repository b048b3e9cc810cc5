/**
 * Schedules in the notation of EventBridge: `cron(minutes hours day-of-month month day-of-week year)`, `rate(5 minutes)` and
 * `at(2026-11-22T08:00:00)`. Fields of cron as in Amazon's documentation: lists, ranges, steps, `L`, `W`, `#`; of the two days one is `?`.
 *
 * Cron and at mean the clock on the wall of their time zone. Where that is put forward, times that it leaves out are left out; where it is put
 * back, times that it shows twice count the first time, as in EventBridge Scheduler. A rate counts from the epoch, so that it is the same after
 * a restart.
 */
import { HearthError } from '../kernel/mod.ts';
import { parseCronDays } from './cron-days.ts';
import type { DayMatch } from './cron-days.ts';
import { FIELDS, parseField } from './cron-field.ts';

export type Schedule = {
  /** As it was given. */
  readonly expression: string;
  readonly timezone: string;
  /** The first time after `afterMs`, in epoch milliseconds; undefined: none any more. */
  next(afterMs: number): number | undefined;
  /** The last time at `atMs` or before it; undefined: there was none. */
  previous(atMs: number): number | undefined;
};

const MAX_EXPRESSION_LENGTH = 256;
const UNIT_MS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
/** Epoch milliseconds are exact that far, and a year is far more than a rate is used for. */
const MAX_RATE_MS = 366 * UNIT_MS['day']!;

/** `timezone`: a name of the IANA database. Throws HearthError `InvalidParameterValueException`. */
export function parseSchedule(expression: string, timezone = 'UTC'): Schedule {
  if (expression.length > MAX_EXPRESSION_LENGTH) throw wrong(expression, `is longer than ${MAX_EXPRESSION_LENGTH} characters`);
  checkZone(timezone);
  const [, kind, inside] = /^(cron|rate|at)\((.*)\)$/s.exec(expression.trim()) ?? [];
  const times = kind === 'cron' ? cron(expression, inside!, timezone) : kind === 'rate' ? rate(expression, inside!) : undefined;
  if (times) return { expression, timezone, ...times };
  if (kind === 'at') return { expression, timezone, ...once(expression, inside!, timezone) };
  throw wrong(expression, 'is no schedule. Write cron(0 8 ? * MON-FRI *), rate(5 minutes) or at(2026-11-22T08:00:00)');
}

type Times = Pick<Schedule, 'next' | 'previous'>;

function checkZone(timezone: string): void {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(timezone);
  } catch (cause) {
    const message = `The time zone '${timezone.slice(0, 64)}' is not known. Write a name such as Europe/Berlin, or UTC.`;
    throw new HearthError('InvalidParameterValueException', message, { cause });
  }
}

function rate(expression: string, inside: string): Times {
  const [, digits, unit, plural] = /^(\d{1,9}) (minute|hour|day)(s?)$/.exec(inside.trim()) ?? [];
  const count = Number(digits);
  if (unit === undefined || count === 0 || (count === 1) !== (plural === ''))
    throw wrong(expression, 'is no rate. Write rate(1 minute), rate(5 minutes), hours or days');
  const everyMs = count * UNIT_MS[unit]!;
  if (everyMs > MAX_RATE_MS) throw wrong(expression, 'is a rate of more than a year');
  return {
    next: (afterMs) => (Math.floor(afterMs / everyMs) + 1) * everyMs,
    previous: (atMs) => Math.floor(atMs / everyMs) * everyMs,
  };
}

function once(expression: string, inside: string, timezone: string): Times {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(inside.trim()))
    throw wrong(expression, 'is no point in time. Write at(2026-11-22T08:00:00)');
  const atMs = epochMsOf(plainTime(expression, inside.trim()), timezone);
  if (atMs === undefined) throw wrong(expression, `names a time that the clock of ${timezone} leaves out`);
  return { next: (afterMs) => (atMs > afterMs ? atMs : undefined), previous: (nowMs) => (atMs <= nowMs ? atMs : undefined) };
}

function plainTime(expression: string, text: string): Temporal.PlainDateTime {
  try {
    return Temporal.PlainDateTime.from(text, { overflow: 'reject' });
  } catch (cause) {
    throw wrong(expression, 'is no point in time: there is no such day or hour', cause);
  }
}

function wrong(expression: string, what: string, cause?: unknown): HearthError {
  return new HearthError('InvalidParameterValueException', `The schedule '${expression.slice(0, 128)}' ${what}.`, { cause });
}

type Fields = {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly months: ReadonlySet<number>;
  readonly years: readonly number[];
  readonly days: DayMatch;
};

function cron(expression: string, inside: string, timezone: string): Times {
  const words = inside.trim().split(/\s+/);
  if (words.length !== 6) throw wrong(expression, `has ${words.length} fields; minutes hours day-of-month month day-of-week year are six`);
  const [minutes, hours, dayOfMonth, month, dayOfWeek, year] = words as [string, string, string, string, string, string];
  const fields: Fields = {
    minutes: parseField(FIELDS.minutes, minutes),
    hours: parseField(FIELDS.hours, hours),
    months: new Set(parseField(FIELDS.month, month)),
    years: parseField(FIELDS.year, year),
    days: parseCronDays(dayOfMonth, dayOfWeek),
  };
  return { next: (afterMs) => nextOf(fields, timezone, afterMs), previous: (atMs) => previousOf(fields, timezone, atMs) };
}

function nextOf(fields: Fields, timezone: string, afterMs: number): number | undefined {
  // Times that the clock shows up to now are no later than now, for those shown twice count the first time.
  const from = localTime(afterMs, timezone);
  const fromMinute = minuteOf(from);
  for (const day of daysFrom(fields, from)) {
    const least = isOn(day, from) ? fromMinute : 0;
    for (const hour of fields.hours) {
      if (hour * 60 + 59 < least) continue;
      for (const minute of fields.minutes) {
        if (hour * 60 + minute < least) continue;
        const dueMs = epochMsOf(day.toPlainDateTime({ hour, minute }), timezone);
        if (dueMs !== undefined && dueMs > afterMs) return dueMs;
      }
    }
  }
  return undefined;
}

function previousOf(fields: Fields, timezone: string, atMs: number): number | undefined {
  const local = localTime(atMs, timezone);
  // Where the clock shows a time for the second time, it has shown later ones before.
  const putBackMinutes = Math.round((atMs - epochMsOf(local, timezone)!) / 60_000);
  const from = putBackMinutes === 0 ? local : local.add({ minutes: putBackMinutes });
  const fromMinute = minuteOf(from);
  for (const day of daysBack(fields, from)) {
    const most = isOn(day, from) ? fromMinute : 1_440;
    for (const hour of fields.hours.toReversed()) {
      if (hour * 60 > most) continue;
      for (const minute of fields.minutes.toReversed()) {
        if (hour * 60 + minute > most) continue;
        const dueMs = epochMsOf(day.toPlainDateTime({ hour, minute }), timezone);
        if (dueMs !== undefined && dueMs <= atMs) return dueMs;
      }
    }
  }
  return undefined;
}

const minuteOf = ({ hour, minute }: Temporal.PlainDateTime): number => hour * 60 + minute;
const isOn = ({ year, month, day }: Temporal.PlainDate, time: Temporal.PlainDateTime): boolean =>
  time.day === day && time.month === month && time.year === year;

const localTime = (epochMs: number, timezone: string): Temporal.PlainDateTime =>
  Temporal.Instant.fromEpochMilliseconds(Math.floor(epochMs)).toZonedDateTimeISO(timezone).toPlainDateTime();

/** Of two moments the first; undefined: the clock leaves that time out. */
function epochMsOf(local: Temporal.PlainDateTime, timezone: string): number | undefined {
  const zoned = local.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  return zoned.toPlainDateTime().equals(local) ? zoned.epochMilliseconds : undefined;
}

function* daysFrom({ years, months, days }: Fields, from: Temporal.PlainDateTime): Generator<Temporal.PlainDate> {
  for (const year of years) {
    if (year < from.year) continue;
    for (let month = year === from.year ? from.month : 1; month <= 12; month++) {
      if (!months.has(month)) continue;
      const isFirst = year === from.year && month === from.month;
      for (const day of days(year, month)) if (!isFirst || day >= from.day) yield new Temporal.PlainDate(year, month, day);
    }
  }
}

function* daysBack({ years, months, days }: Fields, from: Temporal.PlainDateTime): Generator<Temporal.PlainDate> {
  for (const year of years.toReversed()) {
    if (year > from.year) continue;
    for (let month = year === from.year ? from.month : 12; month >= 1; month--) {
      if (!months.has(month)) continue;
      const isFirst = year === from.year && month === from.month;
      for (const day of days(year, month).toReversed()) if (!isFirst || day <= from.day) yield new Temporal.PlainDate(year, month, day);
    }
  }
}
