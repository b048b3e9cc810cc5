/** What `hearth replay` was asked for, as numbers and choices. Throws HearthError `BadUsage`. */
import { HearthError } from '../kernel/mod.ts';
import { PRICE_RANGE, parseChoice } from '../replay/mod.ts';
import type { PolicyChoice, SimulateOptions, Trace } from '../replay/mod.ts';

export type ReplayOptions = {
  readonly policy?: string;
  readonly price?: string;
  readonly limitMemory?: string;
  readonly schedules: 'known' | 'unknown';
  readonly resolution: 'minutes' | 'milliseconds';
  readonly seed: string;
  readonly from?: string;
  readonly to?: string;
  readonly format?: string;
  readonly svg?: string;
};

const MOST_POLICIES = 32;

const DEFAULT_POLICIES = 'hazard,fixed,histogram';

export function choicesIn({ policy = DEFAULT_POLICIES, price }: Pick<ReplayOptions, 'policy' | 'price'>): readonly PolicyChoice[] {
  const words = policy.split(',').filter((word) => word.trim() !== '');
  if (words.length === 0 || words.length > MOST_POLICIES)
    throw new HearthError('BadUsage', `--policy ${policy}: give 1 to ${MOST_POLICIES} policies, with commas between them`);
  const all = price === undefined ? undefined : numberIn('--price', price, PRICE_RANGE);
  return words.map((word) => {
    const choice = parseChoice(word);
    if (!choice)
      throw new HearthError(
        'BadUsage',
        `--policy ${word}: give hazard, hazard:PRICE, fixed, fixed:MINUTES, histogram, lru, greedy-dual, value or none`,
      );
    return choice.name === 'hazard' && choice.price === undefined && all !== undefined ? { ...choice, price: all } : choice;
  });
}

export function simulationIn(options: ReplayOptions, trace: Trace): SimulateOptions {
  const { from, to } = minutesIn(options, trace);
  const limitMemoryMiB = memoryIn(options.limitMemory, trace);
  return {
    resolution: options.resolution,
    schedules: options.schedules,
    seed: wholeIn('--seed', options.seed, { min: 0, max: 2 ** 32 - 1 }),
    ...(limitMemoryMiB !== undefined && { limitMemoryMiB }),
    ...(from > 0 && { fromMinute: from }),
    ...(to < trace.minutes && { toMinute: to }),
  };
}

export function minutesIn(
  { from = '0', to }: Pick<ReplayOptions, 'from' | 'to'>,
  { minutes }: Trace,
): { readonly from: number; readonly to: number } {
  const first = wholeIn('--from', from, { min: 0, max: minutes - 1 });
  return { from: first, to: to === undefined ? minutes : wholeIn('--to', to, { min: first + 1, max: minutes }) };
}

const UNIT_MIB: Readonly<Record<string, number>> = { M: 1, MB: 1, MIB: 1, G: 1024, GB: 1024, GIB: 1024 };

/** Of what all functions of the trace take together, if it is a percentage. */
function memoryIn(text: string | undefined, { functions }: Trace): number | undefined {
  if (text === undefined) return undefined;
  const [, digits = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?)\s*(%|[A-Za-z]{1,3})$/.exec(text.trim()) ?? [];
  const value = Number(digits);
  const all = functions.reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
  const limit = unit === '%' ? (all * value) / 100 : value * (UNIT_MIB[unit.toUpperCase()] ?? Number.NaN);
  if (digits !== '' && limit > 0) return limit;
  throw new HearthError(
    'BadUsage',
    `--limit-memory ${text}: give a size such as 512MiB or 16GiB, or a percentage of all functions' memory such as 30%`,
  );
}

export function numberIn(name: string, text: string, { min, max }: { readonly min: number; readonly max: number }): number {
  const value = /^\d{1,12}(\.\d{1,12})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new HearthError('BadUsage', `${name} ${text}: give a number from ${min} to ${max}`);
}

export function wholeIn(name: string, text: string, range: { readonly min: number; readonly max: number }): number {
  const value = numberIn(name, text, range);
  if (Number.isInteger(value)) return value;
  throw new HearthError('BadUsage', `${name} ${text}: give a whole number`);
}
