/** `name=value` words, as tags of Hearth have them, with the numbers and durations that are written there. */

/** `30s`, `10m`, `1.5h`, `2d`, `500ms`, in milliseconds; undefined: it is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return unit === undefined ? undefined : Math.round(Number(digits) * UNIT_MS[unit]!);
}

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** In the largest unit that makes it a whole number. */
export function durationText(ms: number): string {
  const [unit, unitMs] = Object.entries(UNIT_MS).find(([, each]) => ms >= each && ms % each === 0) ?? ['ms', 1];
  return `${ms / unitMs}${unit}`;
}

/** A schedule, and the words after it. Undefined: the text begins with none. What a schedule may say is for others to know. */
export function splitSchedule(text: string): { readonly expression: string; readonly rest: string } | undefined {
  const [, expression, rest = ''] = /^\s*(\w+\([^)]*\))(?:\s+(.*))?$/s.exec(text) ?? [];
  return expression === undefined ? undefined : { expression, rest };
}

/** What a tag says without its words `timezone` and `qualifier`. */
export const SCHEDULE_DEFAULTS = { timezone: 'UTC', qualifier: '$LATEST' } as const;

/** When and for which version or alias a schedule is meant. `fail` as for `parsePairs`. */
export function scheduleWords(
  pairs: { get(name: 'timezone' | 'qualifier'): string | undefined },
  fail: (what: string) => Error,
): { readonly timezone: string; readonly qualifier: string } {
  const timezone = pairs.get('timezone') ?? SCHEDULE_DEFAULTS.timezone;
  const qualifier = pairs.get('qualifier') ?? SCHEDULE_DEFAULTS.qualifier;
  if (!/^(\$LATEST|[a-zA-Z0-9_-]{1,128})$/.test(qualifier))
    throw fail(`has qualifier=${qualifier.slice(0, 64)}: write a version or an alias`);
  return { timezone, qualifier };
}

/** Each word by its name. `fail` makes the error for one that is no pair, that is not among `names`, or that is there twice. */
export function parsePairs<Name extends string>(
  text: string,
  names: readonly Name[],
  fail: (what: string) => Error,
): ReadonlyMap<Name, string> {
  const pairs = new Map<Name, string>();
  for (const word of text.split(/\s+/).filter((each) => each !== '')) {
    const at = word.indexOf('=');
    const name = names.find((each) => each === word.slice(0, Math.max(0, at)));
    if (name === undefined) throw fail(`has '${word.slice(0, 64)}'. Write ${names.map((each) => `${each}=…`).join(' ')}`);
    if (pairs.has(name)) throw fail(`has ${name} twice`);
    pairs.set(name, word.slice(at + 1));
  }
  return pairs;
}
