import { LIMITS } from '../kernel/mod.ts';
import { parseSchedule } from '../policy/mod.ts';
import {
  API_TAG,
  CALLS_TAG,
  CAPACITY_TAG,
  NETWORK_TAG,
  parseApiGrant,
  parseCallsTag,
  parseCapacity,
  parseNetwork,
  parseScaling,
  parseWarmTags,
  parseWasmGrants,
  SCALING_TAG,
  WASM_TAG,
} from '../protocol/mod.ts';
import type { Functions } from './functions.ts';
import { checkInstanceConcurrency } from './instance-concurrency.ts';
import { invalid } from './invalid.ts';

export function tagFunction(functions: Functions, name: string, tags: Readonly<Record<string, string>>): Promise<void> {
  return functions.change(name, (entry) => {
    const all = { ...entry.record.tags, ...tags };
    checkTags(all);
    checkInstanceConcurrency(entry.record.latest.settings, all);
    return { record: { ...entry.record, tags: all }, result: () => undefined };
  });
}

export function untagFunction(functions: Functions, name: string, keys: readonly string[]): Promise<void> {
  return functions.change(name, (entry) => {
    const tags = Object.fromEntries(Object.entries(entry.record.tags).filter(([key]) => !keys.includes(key)));
    return { record: { ...entry.record, tags }, result: () => undefined };
  });
}

/** Throws `InvalidParameterValueException`. */
export function checkTags(tags: Readonly<Record<string, string>>): void {
  const entries = Object.entries(tags);
  if (entries.length > LIMITS.tagsPerFunction) throw invalid(`Number of tags exceeds resource tag limit of ${LIMITS.tagsPerFunction}.`);
  for (const [key, value] of entries) {
    if (key.length < 1 || key.length > 128 || value.length > 256)
      throw invalid(`The tag '${key.slice(0, 128)}' is too long: a key has 1 to 128 characters, a value at most 256.`);
    if (key.toLowerCase().startsWith('aws:')) throw invalid(`The tag '${key}' begins with aws:, which is reserved. Choose another key.`);
  }
  // What they say is in force at once: nothing that cannot be understood is kept.
  parseNetwork(tags[NETWORK_TAG]);
  parseWasmGrants(tags[WASM_TAG]);
  parseApiGrant(tags[API_TAG]);
  parseScaling(tags[SCALING_TAG]);
  parseCapacity(tags[CAPACITY_TAG]);
  const calls = parseCallsTag(tags[CALLS_TAG]);
  for (const { expression, timezone } of [...parseWarmTags(tags), ...(calls ? [calls] : [])]) parseSchedule(expression, timezone);
}
