/** One field of a cron expression: `*`, `5`, `1-5`, `0/15`, `MON-FRI`, and lists of these. Throws HearthError. */
import { HearthError } from '../kernel/mod.ts';

export type Field = {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Words for numbers, the first for `min`. */
  readonly words?: readonly string[];
  /** Whether `22-2` goes on past the end. */
  readonly round: boolean;
};

export const FIELDS = {
  minutes: { name: 'minutes', min: 0, max: 59, round: true },
  hours: { name: 'hours', min: 0, max: 23, round: true },
  dayOfMonth: { name: 'day-of-month', min: 1, max: 31, round: false },
  month: {
    name: 'month',
    min: 1,
    max: 12,
    words: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
    round: true,
  },
  /** Sunday is 1. */
  dayOfWeek: { name: 'day-of-week', min: 1, max: 7, words: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'], round: true },
  year: { name: 'year', min: 1970, max: 2199, round: false },
} as const satisfies Record<string, Field>;

/** The numbers that it names, in ascending order. */
export function parseField(field: Field, text: string): readonly number[] {
  const numbers = new Set<number>();
  for (const part of text.split(',')) for (const number of parsePart(field, part)) numbers.add(number);
  return [...numbers].sort((a, b) => a - b);
}

export function parseNumber(field: Field, text: string): number {
  const word = field.words?.indexOf(text.toUpperCase()) ?? -1;
  const number = word >= 0 ? field.min + word : /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= field.min && number <= field.max) return number;
  throw unreadable(
    `has '${text}' for ${field.name}: those are ${field.min} to ${field.max}${field.words ? `, or ${field.words.join(' ')}` : ''}`,
  );
}

function parsePart(field: Field, part: string): number[] {
  const [, range, step] = /^([^/]+)(?:\/(\d{1,4}))?$/.exec(part) ?? [];
  if (range === undefined || step === '0') throw unreadable(`has '${part}' for ${field.name}`);
  const by = step === undefined ? 1 : Number(step);
  if (range === '*') return spread(field, { from: field.min, to: field.max, by });
  const [first, last, ...more] = range.split('-');
  if (more.length > 0) throw unreadable(`has '${part}' for ${field.name}`);
  const from = parseNumber(field, first!);
  // A step without an end goes on as far as the field does.
  const to = last === undefined ? (step === undefined ? from : field.max) : parseNumber(field, last);
  if (to < from && !field.round) throw unreadable(`has '${part}' for ${field.name}, which ends before it begins`);
  return spread(field, { from, to, by });
}

function spread({ min, max }: Field, { from, to, by }: { readonly from: number; readonly to: number; readonly by: number }): number[] {
  const size = max - min + 1;
  const end = to < from ? to + size : to;
  const numbers: number[] = [];
  for (let number = from; number <= end; number += by) numbers.push(number > max ? number - size : number);
  return numbers;
}

export const unreadable = (what: string): HearthError => new HearthError('InvalidParameterValueException', `The cron expression ${what}.`);
