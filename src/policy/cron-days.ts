/** The two fields of a cron expression that name days. Throws HearthError. */
import { FIELDS, parseField, parseNumber, unreadable } from './cron-field.ts';

/** The days of a month that match, in ascending order. */
export type DayMatch = (year: number, month: number) => readonly number[];

/** Exactly one of them is `?`: what is asked for is said by the other. */
export function parseCronDays(dayOfMonth: string, dayOfWeek: string): DayMatch {
  if ((dayOfMonth === '?') === (dayOfWeek === '?'))
    throw unreadable('has to have ? for one of day-of-month and day-of-week, and something else for the other');
  return dayOfWeek === '?' ? daysOfMonth(dayOfMonth) : daysOfWeek(dayOfWeek);
}

function daysOfMonth(text: string): DayMatch {
  if (text === 'L') return (year, month) => [lengthOf(year, month)];
  if (text === 'LW') return (year, month) => [nearestWeekday(year, month, lengthOf(year, month))];
  const [, weekday] = /^(\d+)W$/.exec(text) ?? [];
  if (weekday !== undefined) {
    const day = parseNumber(FIELDS.dayOfMonth, weekday);
    return (year, month) => (day > lengthOf(year, month) ? [] : [nearestWeekday(year, month, day)]);
  }
  const days = parseField(FIELDS.dayOfMonth, text);
  return (year, month) => days.filter((day) => day <= lengthOf(year, month));
}

function daysOfWeek(text: string): DayMatch {
  const field = FIELDS.dayOfWeek;
  if (text === 'L') return daysOfWeek('7');
  const [, last] = /^(.+)L$/.exec(text) ?? [];
  if (last !== undefined) {
    const wanted = parseNumber(field, last);
    return (year, month) => daysWith(year, month, (weekday) => weekday === wanted).slice(-1);
  }
  const [, name, nth] = /^(.+)#(\d)$/.exec(text) ?? [];
  if (name !== undefined) {
    const wanted = parseNumber(field, name);
    const at = Number(nth);
    if (at < 1 || at > 5) throw unreadable(`has '${text}' for ${field.name}: a month has a day of the week five times at most`);
    return (year, month) => daysWith(year, month, (weekday) => weekday === wanted).slice(at - 1, at);
  }
  const wanted = new Set(parseField(field, text));
  return (year, month) => daysWith(year, month, (weekday) => wanted.has(weekday));
}

function daysWith(year: number, month: number, match: (weekday: number) => boolean): number[] {
  const days: number[] = [];
  for (let day = 1; day <= lengthOf(year, month); day++) if (match(weekdayOf(year, month, day))) days.push(day);
  return days;
}

/** Monday to Friday, without leaving the month. */
function nearestWeekday(year: number, month: number, day: number): number {
  const weekday = weekdayOf(year, month, day);
  if (weekday === 7) return day === 1 ? 3 : day - 1;
  if (weekday === 1) return day === lengthOf(year, month) ? day - 2 : day + 1;
  return day;
}

const lengthOf = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** Sunday is 1. */
const weekdayOf = (year: number, month: number, day: number): number => new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 1;
