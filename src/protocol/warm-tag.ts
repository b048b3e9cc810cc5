/**
 * Scheduled warming, as it is written in tags of the function, one for each schedule, of the name `hearth:warm:ID`:
 *
 *   cron(0 8 ? * MON-FRI *) for=10h instances=5 timezone=Europe/Berlin qualifier=live
 *
 * From each time of the schedule on, for that long, so many instances are kept. Without a time zone it is UTC, without a qualifier `$LATEST`.
 */
import { HearthError, LIMITS } from '../kernel/mod.ts';
import { durationText, parseDuration, parsePairs, SCHEDULE_DEFAULTS, scheduleWords, splitSchedule } from './words.ts';

export type WarmTag = {
  readonly id: string;
  readonly expression: string;
  readonly timezone: string;
  readonly forMs: number;
  readonly instances: number;
  /** A version or an alias. */
  readonly qualifier: string;
};

export const WARM_TAG_PREFIX = 'hearth:warm:';

/** All of a function's, in the order of their ids. Schedules and time zones are as they were given. Throws HearthError `InvalidParameterValueException`. */
export function parseWarmTags(tags: Readonly<Record<string, string>>): readonly WarmTag[] {
  const keys = Object.keys(tags).filter((key) => key.startsWith(WARM_TAG_PREFIX));
  const most = LIMITS.warmSchedules.perFunction;
  if (keys.length > most)
    throw new HearthError('InvalidParameterValueException', `There are ${keys.length} tags ${WARM_TAG_PREFIX}…; ${most} is the most.`);
  return keys.sort().map((key) => parseWarmTag(key, tags[key]!));
}

const NAMES = ['for', 'instances', 'timezone', 'qualifier'] as const;

function parseWarmTag(key: string, text: string): WarmTag {
  const wrong = (what: string) => new HearthError('InvalidParameterValueException', `The tag ${key} ${what}.`);
  const id = key.slice(WARM_TAG_PREFIX.length);
  if (!/^[a-zA-Z0-9_-]{1,32}$/.test(id)) throw wrong(`names no schedule: after ${WARM_TAG_PREFIX} write 1 to 32 letters, digits, _ or -`);
  const schedule = splitSchedule(text);
  if (!schedule) throw wrong('begins with no schedule. Write cron(0 8 ? * MON-FRI *) for=10h instances=5');
  const pairs = parsePairs(schedule.rest, NAMES, wrong);
  const forText = pairs.get('for') ?? '';
  const forMs = parseDuration(forText);
  const { windowMs } = LIMITS.warmSchedules;
  if (forMs === undefined || forMs < windowMs.min || forMs > windowMs.max)
    throw wrong(`has for=${forText.slice(0, 32)}: write a duration from ${durationText(windowMs.min)} to ${durationText(windowMs.max)}`);
  const count = pairs.get('instances') ?? '';
  const { max } = LIMITS.scaling.instances;
  if (!/^\d{1,9}$/.test(count) || Number(count) < 1 || Number(count) > max)
    throw wrong(`has instances=${count.slice(0, 32)}: write a whole number from 1 to ${max}`);
  return { id, expression: schedule.expression, ...scheduleWords(pairs, wrong), forMs, instances: Number(count) };
}

/** As `parseWarmTags` reads it. */
export function warmTagText({ expression, timezone, forMs, instances, qualifier }: WarmTag): string {
  const more = [
    ...(timezone === SCHEDULE_DEFAULTS.timezone ? [] : [`timezone=${timezone}`]),
    ...(qualifier === SCHEDULE_DEFAULTS.qualifier ? [] : [`qualifier=${qualifier}`]),
  ];
  return [expression, `for=${durationText(forMs)}`, `instances=${instances}`, ...more].join(' ');
}
