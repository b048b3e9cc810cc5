import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, DEFAULT_SCALING } from '../engine/mod.ts';
import { SCALING_SETTINGS } from '../protocol/mod.ts';

test('what the command line shows for defaults is what the engine takes', () => {
  const { queueDepth, queueAgeMs } = DEFAULT_LIMITS;
  const taken: Readonly<Record<string, unknown>> = { concurrency: 1, queueDepth, queueAgeMs, ...DEFAULT_SCALING };
  for (const { key, standard } of SCALING_SETTINGS) assert.equal(standard, taken[key], key);
});
