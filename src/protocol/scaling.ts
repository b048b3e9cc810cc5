/**
 * What Lambda has no name for of how a function scales, as it is written in a tag of the function: words with spaces between them.
 *
 *   concurrency=10         invocations that one instance runs at a time
 *   target=0.7             how much of that is to be in use, on average
 *   scale-down-delay=30s   how long fewer instances are wanted before there are fewer
 *   burst=2                how many times over its share makes a burst
 *   queue-depth=100        invocations that may wait for an instance
 *   queue-age=10s          for how long
 */
import { HearthError, LIMITS } from '../kernel/mod.ts';
import { durationText, parseDuration, parsePairs } from './words.ts';

export type ScalingTag = {
  readonly concurrency?: number;
  readonly targetUtilisation?: number;
  readonly scaleDownDelayMs?: number;
  readonly burstMultiple?: number;
  readonly queueDepth?: number;
  readonly queueAgeMs?: number;
};

export const SCALING_TAG = 'hearth:scaling';

type Setting = {
  readonly word: string;
  readonly key: keyof ScalingTag;
  readonly kind: 'count' | 'number' | 'duration';
  readonly bounds: { readonly min: number; readonly max: number };
  /** Undefined: the keep-alive of the platform. */
  readonly standard: number | undefined;
};

export const SCALING_SETTINGS = [
  { word: 'concurrency', key: 'concurrency', kind: 'count', bounds: LIMITS.scaling.concurrency, standard: 1 },
  { word: 'target', key: 'targetUtilisation', kind: 'number', bounds: LIMITS.scaling.targetUtilisation, standard: 0.7 },
  { word: 'scale-down-delay', key: 'scaleDownDelayMs', kind: 'duration', bounds: LIMITS.scaling.scaleDownDelayMs, standard: undefined },
  { word: 'burst', key: 'burstMultiple', kind: 'number', bounds: LIMITS.scaling.burstMultiple, standard: 2 },
  { word: 'queue-depth', key: 'queueDepth', kind: 'count', bounds: LIMITS.scaling.queueDepth, standard: LIMITS.queueDepth },
  { word: 'queue-age', key: 'queueAgeMs', kind: 'duration', bounds: LIMITS.scaling.queueAgeMs, standard: LIMITS.queueAgeMs },
] as const satisfies readonly Setting[];

const WORDS = SCALING_SETTINGS.map(({ word }) => word);

/** Undefined: nothing is written. Throws HearthError `InvalidParameterValueException`. */
export function parseScaling(text: string | undefined): ScalingTag {
  if (text === undefined) return {};
  const pairs = parsePairs(text, WORDS, wrong);
  if (pairs.size === 0) throw wrong('is empty. Remove it for the defaults');
  const known = SCALING_SETTINGS.filter(({ word }) => pairs.has(word));
  return Object.fromEntries(known.map((setting) => [setting.key, valueOf(setting, pairs.get(setting.word)!)]));
}

function valueOf({ word, kind, bounds }: Setting, text: string): number {
  const value = kind === 'duration' ? parseDuration(text) : PATTERNS[kind].test(text) ? Number(text) : undefined;
  if (value !== undefined && value >= bounds.min && value <= bounds.max) return value;
  const shown = (bound: number) => (kind === 'duration' ? durationText(bound) : String(bound));
  throw wrong(`has ${word}=${text.slice(0, 32)}: write ${KINDS[kind]} from ${shown(bounds.min)} to ${shown(bounds.max)}`);
}

const PATTERNS = { count: /^\d{1,9}$/, number: /^\d{1,9}(\.\d{1,6})?$/ };
const KINDS = { count: 'a whole number', number: 'a number', duration: 'a duration' };

/** As `parseScaling` reads it. */
export function scalingText(scaling: ScalingTag): string {
  const words = SCALING_SETTINGS.flatMap(({ word, key, kind }) => {
    const value = scaling[key];
    return value === undefined ? [] : [`${word}=${kind === 'duration' ? durationText(value) : value}`];
  });
  return words.join(' ');
}

function wrong(what: string): HearthError {
  return new HearthError('InvalidParameterValueException', `The tag ${SCALING_TAG} ${what}.`);
}
