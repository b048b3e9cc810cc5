/**
 * When a function is called by somebody's schedule, as the tag `hearth:calls` says it:
 *
 *   cron(0/5 * * * ? *) timezone=Europe/Berlin jitter=1m qualifier=live
 *
 * Without a time zone it is UTC, without a qualifier `$LATEST`; `jitter`: how much later than that the calls may come, a minute unless it says otherwise.
 */
import { HearthError } from '../kernel/mod.ts';
import { durationText, parseDuration, parsePairs, scheduleWords, splitSchedule } from './words.ts';

export type CallsTag = { readonly expression: string; readonly timezone: string; readonly jitterMs: number; readonly qualifier: string };

export const CALLS_TAG = 'hearth:calls';

const JITTER_MS = 60_000;
const MOST_JITTER_MS = 3_600_000;

/** The schedule and the time zone are as they were given. Throws HearthError `InvalidParameterValueException`. */
export function parseCallsTag(text: string | undefined): CallsTag | undefined {
  if (text === undefined) return undefined;
  const wrong = (what: string) => new HearthError('InvalidParameterValueException', `The tag ${CALLS_TAG} ${what}.`);
  const schedule = splitSchedule(text);
  if (!schedule) throw wrong('begins with no schedule. Write cron(0/5 * * * ? *), or rate(1 hour)');
  const pairs = parsePairs(schedule.rest, ['timezone', 'jitter', 'qualifier'], wrong);
  const jitter = pairs.get('jitter');
  const jitterMs = jitter === undefined ? JITTER_MS : parseDuration(jitter);
  if (jitterMs === undefined || jitterMs > MOST_JITTER_MS)
    throw wrong(`has jitter=${jitter!.slice(0, 32)}: write a duration of at most ${durationText(MOST_JITTER_MS)}`);
  return { expression: schedule.expression, ...scheduleWords(pairs, wrong), jitterMs };
}
