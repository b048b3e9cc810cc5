import { TRIGGERS } from '../../policy/mod.ts';
import type { Trigger } from '../../policy/mod.ts';

/** What is taken where a trace doesn't say: about what half of Azure's functions stay below. Documented in docs/replay.md. */
export const DEFAULTS = { durationMs: 1_000, memoryMiB: 128 } as const;

/** How many functions were read with a default, as warnings. */
export const MISSING = {
  durations: (count: number) => told(count, `without a duration: ${DEFAULTS.durationMs} ms assumed`),
  memory: (count: number) => told(count, `without a memory size: ${DEFAULTS.memoryMiB} MiB assumed`),
  triggers: (count: number) => told(count, 'with a trigger that is not known: taken as "others"'),
  calls: (count: number) => told(count, 'without any call left out'),
} as const;

function told(count: number, what: string): readonly string[] {
  return count === 0 ? [] : [`${count} ${count === 1 ? 'function' : 'functions'} ${what}`];
}

export function triggerOf(text: string): Trigger | undefined {
  const name = text.trim().toLowerCase();
  return TRIGGERS.find((each) => each === name);
}
