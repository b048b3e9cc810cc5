/** Which policies are replayed, as they are named on a command line: `hazard`, `hazard:100000`, `fixed:20`. */
import { POLICY_NAMES, createPolicy } from '../policy/mod.ts';
import type { PolicyName, WarmingPolicy } from '../policy/mod.ts';

export type PolicyChoice = {
  readonly name: PolicyName;
  /** Of `fixed`: how long an idle instance is kept. */
  readonly minutes?: number;
  /** Of `hazard`: what a cold start is worth, in MiB s. */
  readonly price?: number;
};

/** What relative memory is relative to. */
export const BASELINE: PolicyChoice = { name: 'fixed', minutes: 10 };

/** What a platform has that nobody says anything else to. */
export const DEFAULT_POLICY: PolicyChoice = { name: 'hazard' };

export const PRICE_RANGE = { min: 0, max: 1e9 } as const;
export const MINUTES_RANGE = { min: 0, max: 100_000 } as const;

/** Undefined: that is none. */
export function parseChoice(text: string): PolicyChoice | undefined {
  const [word = '', number, ...more] = text.trim().split(':');
  const name = POLICY_NAMES.find((each) => each === word);
  if (!name || more.length > 0) return undefined;
  if (number === undefined) return name === 'fixed' ? BASELINE : { name };
  const value = /^\d{1,12}(\.\d{1,12})?$/.test(number) ? Number(number) : Number.NaN;
  if (name === 'fixed') return value >= MINUTES_RANGE.min && value <= MINUTES_RANGE.max ? { name, minutes: value } : undefined;
  if (name === 'hazard') return value >= PRICE_RANGE.min && value <= PRICE_RANGE.max ? { name, price: value } : undefined;
  return undefined;
}

export function openChoice({ name, minutes, price }: PolicyChoice): WarmingPolicy {
  return createPolicy(name, {
    ...(minutes !== undefined && { keepMs: minutes * 60_000 }),
    ...(price !== undefined && { priceMiBSeconds: price }),
  });
}

/** The curve that a policy is a point of, as the choices along it. */
export function curveOf(name: PolicyName): readonly PolicyChoice[] {
  switch (name) {
    case 'fixed':
      return FIXED_MINUTES.map((minutes) => ({ name, minutes }));
    case 'hazard':
      return PRICES.map((price) => ({ name, price }));
    default:
      return [{ name }];
  }
}

const FIXED_MINUTES = [1, 2, 5, 10, 20, 30, 60] as const;
const PRICES = [10_000, 30_000, 60_000, 125_000, 250_000, 500_000, 1_000_000, 2_000_000] as const;

/** As it stands in a table. */
export function choiceText({ name, minutes, price }: PolicyChoice): string {
  if (minutes !== undefined) return `${name} ${minutes} min`;
  return price === undefined ? name : `${name} at ${priceText(price)}`;
}

/** As it stands beside a point of the policy's curve. */
export function pointText({ minutes, price }: PolicyChoice): string {
  if (minutes !== undefined) return `${minutes} min`;
  return price === undefined ? '' : `price ${priceText(price)}`;
}

/** 250000 as 250k. */
function priceText(price: number): string {
  if (price >= 1_000_000) return `${Number((price / 1_000_000).toPrecision(4))}M`;
  return price >= 1_000 ? `${Number((price / 1_000).toPrecision(4))}k` : String(price);
}
