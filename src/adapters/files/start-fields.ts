import { START_KINDS } from '../../ports/mod.ts';
import type { Start, Step } from '../../ports/mod.ts';

/** A start as fields of a JSON object that others come before: its cause by its kind, and its steps as names and times in turn. */
export function encodeStart({ kind, cause, detail, steps }: Start): string {
  // Kinds and causes are the engine's own words; nearly all of these are warm.
  let text = `,"${kind}":"${cause}"`;
  if (detail !== undefined) text += `,"detail":${JSON.stringify(detail)}`;
  if (steps !== undefined) text += `,"steps":${JSON.stringify(steps.flatMap(({ name, atMs }) => [name, atMs]))}`;
  return text;
}

export function decodeStart(fields: Readonly<Record<string, unknown>>): Start | undefined {
  const kind = START_KINDS.find((each) => typeof fields[each] === 'string');
  if (kind === undefined) return undefined;
  const { detail, steps } = fields;
  return {
    kind,
    cause: String(fields[kind]),
    ...(typeof detail === 'string' && { detail }),
    ...(Array.isArray(steps) && { steps: decodeSteps(steps) }),
  };
}

function decodeSteps(values: readonly unknown[]): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at + 1 < values.length; at += 2) {
    const [name, atMs] = [values[at], values[at + 1]];
    if (typeof name === 'string' && typeof atMs === 'number') steps.push({ name, atMs });
  }
  return steps;
}
