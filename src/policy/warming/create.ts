/** Policies by the names that operators and `hearth replay` use. */
import { HazardFunction } from './hazard.ts';
import type { HazardHost } from './hazard.ts';
import { histogramPolicy } from './histogram.ts';
import { keepPolicy } from './keep.ts';
import type { WarmingPolicy } from './policy.ts';
import type { Population } from './population.ts';
import { shippedPopulation } from './prior.ts';

export const POLICY_NAMES = ['none', 'fixed', 'lru', 'greedy-dual', 'value', 'histogram', 'hazard'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

export type PolicyOptions = {
  /** Of `fixed`. */
  readonly keepMs?: number;
  /** Of `hazard`: how many MiB seconds avoiding a cold start is worth. */
  readonly priceMiBSeconds?: number;
  /** Of `hazard`: what is known of functions in general; otherwise what comes with Hearth. */
  readonly population?: Population;
};

/** `lru`, `greedy-dual` and `value` hold everything until memory is wanted, and differ in what goes then. */
export function createPolicy(name: PolicyName, options: PolicyOptions = {}): WarmingPolicy {
  const { keepMs = DEFAULT_KEEP_MS, priceMiBSeconds = DEFAULT_PRICE_MIB_SECONDS } = options;
  switch (name) {
    case 'none':
      return keepPolicy({ name, keepMs: 0, eviction: 'lru' });
    case 'fixed':
      return keepPolicy({ name, keepMs, eviction: 'lru' });
    case 'lru':
    case 'greedy-dual':
    case 'value':
      return keepPolicy({ name, keepMs: Infinity, eviction: name });
    case 'histogram':
      return histogramPolicy();
    case 'hazard':
      return hazardPolicy(priceMiBSeconds, options.population ?? shippedPopulation());
  }
}

function hazardPolicy(priceMiBSeconds: number, population: Population): WarmingPolicy {
  const host: HazardHost = { priceMiBSeconds, population, functions: new Map(), recent: new Map() };
  return {
    name: 'hazard',
    eviction: 'value',
    open: (subject, saved) => new HazardFunction(host, subject, saved),
    save: () => population.save(),
    load: (saved) => population.load(saved),
  };
}

export const DEFAULT_KEEP_MS = 10 * 60_000;
/** An instance of 128 MiB is held for half an hour at most for one call that would surely come. */
export const DEFAULT_PRICE_MIB_SECONDS = 250_000;
