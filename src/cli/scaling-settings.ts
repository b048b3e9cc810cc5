/** How a function scales, as the platform has it in several places: two tags, and Lambda's scaling configuration of a version. */
import { HearthError, LIMITS, runsSeveralAtATime } from '../kernel/mod.ts';
import { CAPACITY_TAG, capacityText, parseCapacity, parseScaling, parseWarmTags, SCALING_SETTINGS, SCALING_TAG } from '../protocol/mod.ts';
import type { Capacity, ScalingTag } from '../protocol/mod.ts';
import type { Client } from './client.ts';
import type { FunctionConfiguration } from './lambda.ts';
import { tagsPath } from './network.ts';

/** As they are written on the command line; `default` takes one back. */
export type ScaleOptions = {
  readonly concurrency?: string;
  readonly min?: string;
  readonly max?: string;
  readonly target?: string;
  readonly scaleDownDelay?: string;
  readonly burst?: string;
  readonly queueDepth?: string;
  readonly queueAge?: string;
  readonly class?: string;
  readonly label?: readonly string[];
};

/** The tags are those of the function as a whole, the two numbers of the version. */
export type Current = { readonly tags: Readonly<Record<string, string>>; readonly min?: number; readonly max?: number };

type ScalingConfig = {
  readonly AppliedFunctionScalingConfig?: { readonly MinExecutionEnvironments?: number; readonly MaxExecutionEnvironments?: number };
};

const scalingPath = (name: string): string => `/2025-11-30/functions/${encodeURIComponent(name)}/function-scaling-config`;

/** What a verb was given: NAME, or NAME:QUALIFIER. */
export function splitQualifier(text: string): { readonly name: string; readonly qualifier?: string } {
  const at = text.lastIndexOf(':');
  if (at < 0 || text.startsWith('arn:')) return { name: text };
  return { name: text.slice(0, at), qualifier: text.slice(at + 1) };
}

export async function readScaling(client: Client, { FunctionName, FunctionArn }: FunctionConfiguration, version: string): Promise<Current> {
  const arn = FunctionArn.split(':').slice(0, 7).join(':');
  const { Tags = {} } = await client.call<{ Tags?: Readonly<Record<string, string>> }>({ method: 'GET', path: tagsPath(arn) });
  const { AppliedFunctionScalingConfig: config = {} } = await client.call<ScalingConfig>({
    method: 'GET',
    path: scalingPath(FunctionName),
    query: { Qualifier: version },
  });
  const { MinExecutionEnvironments: min, MaxExecutionEnvironments: max } = config;
  return { tags: Tags, ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

/** Throws HearthError `BadUsage`, `InvalidParameterValueException`: before anything is changed. */
export function changedScaling(current: Current, options: ScaleOptions, runtime: string | undefined): Current {
  const min = instancesAfter('min', options.min, current.min);
  const max = instancesAfter('max', options.max, current.max);
  if (min !== undefined && max !== undefined && min > max) throw new HearthError('BadUsage', `--min ${min} is more than --max ${max}`);
  const tags = { ...current.tags };
  setTag(tags, SCALING_TAG, scalingAfter(tags[SCALING_TAG], options));
  setTag(tags, CAPACITY_TAG, capacityAfter(tags[CAPACITY_TAG], options));
  const { concurrency = 1 } = parseScaling(tags[SCALING_TAG]);
  if (concurrency > 1 && !runsSeveralAtATime(runtime ?? ''))
    throw new HearthError(
      'BadUsage',
      `--concurrency ${concurrency}: ${runtime ?? 'a container image'} runs one invocation at a time in an instance; those of Node run more`,
    );
  return { tags, ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

function setTag(tags: Record<string, string>, key: string, value: string): void {
  if (value === '') delete tags[key];
  else tags[key] = value;
}

function instancesAfter(name: 'min' | 'max', text: string | undefined, before: number | undefined): number | undefined {
  if (text === undefined) return before;
  if (text === 'default') return undefined;
  const { min: least, max: most } = LIMITS.scaling.instances;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  throw new HearthError('BadUsage', `--${name} ${text}: give a whole number from ${least} to ${most}, or default`);
}

const OPTIONS = {
  concurrency: 'concurrency',
  target: 'target',
  'scale-down-delay': 'scaleDownDelay',
  burst: 'burst',
  'queue-depth': 'queueDepth',
  'queue-age': 'queueAge',
} as const satisfies Record<(typeof SCALING_SETTINGS)[number]['word'], keyof ScaleOptions>;

function scalingAfter(tag: string | undefined, options: ScaleOptions): string {
  const words = new Map((tag ?? '').split(/\s+/).flatMap((word) => (word === '' ? [] : [[word.split('=')[0]!, word] as const])));
  for (const { word } of SCALING_SETTINGS) {
    const given = options[OPTIONS[word]];
    if (given === 'default') words.delete(word);
    else if (given !== undefined) words.set(word, `${word}=${given}`);
  }
  const text = [...words.values()].join(' ');
  if (text !== '') parseScaling(text);
  return text;
}

function capacityAfter(tag: string | undefined, { class: name, label }: ScaleOptions): string {
  const before = parseCapacity(tag);
  const className = name === undefined ? before.class : name === 'default' ? 'standard' : name;
  const labels = label === undefined ? before.labels : label.filter((each) => each !== 'default');
  const text = [`class=${className}`, ...labels].join(' ');
  const after = parseCapacity(text);
  return after.class === 'standard' && after.labels.length === 0 ? '' : capacityText(after);
}

/** Makes the platform have `after` where it has `before`. Returns whether that is a change. */
export async function putScaling(
  client: Client,
  { FunctionName, FunctionArn }: FunctionConfiguration,
  { version, before, after }: { readonly version: string; readonly before: Current; readonly after: Current },
): Promise<boolean> {
  const path = tagsPath(FunctionArn.split(':').slice(0, 7).join(':'));
  const isOther = before.min !== after.min || before.max !== after.max;
  if (isOther) {
    const config = { MinExecutionEnvironments: after.min, MaxExecutionEnvironments: after.max };
    await client.send({
      method: 'PUT',
      path: scalingPath(FunctionName),
      query: { Qualifier: version },
      body: { FunctionScalingConfig: config },
    });
  }
  const Tags = Object.fromEntries(Object.entries(after.tags).filter(([key, value]) => before.tags[key] !== value));
  const gone = Object.keys(before.tags).filter((key) => !(key in after.tags));
  if (Object.keys(Tags).length > 0) await client.send({ method: 'POST', path, body: { Tags } });
  for (const key of gone) await client.send({ method: 'DELETE', path, query: { tagKeys: key } });
  return isOther || Object.keys(Tags).length + gone.length > 0;
}

/** All of them, with their defaults where nothing else was said. Null: no bound, or the platform's own. */
export function effectiveScaling({ tags, min, max }: Current): Effective {
  const tag = parseScaling(tags[SCALING_TAG]);
  const tuned = SCALING_SETTINGS.map(({ key, standard }) => [key, tag[key] ?? standard ?? null]);
  return {
    minInstances: min ?? 0,
    maxInstances: max ?? null,
    ...Object.fromEntries(tuned),
    ...parseCapacity(tags[CAPACITY_TAG]),
  } as Effective;
}

export type Effective = { readonly [K in keyof Required<ScalingTag>]: number | null } & Capacity & {
    readonly minInstances: number;
    readonly maxInstances: number | null;
  };

/** What differs from the defaults, in one line; undefined: nothing does. */
export function scalingSummary({ tags, min, max }: Current): string | undefined {
  const schedules = parseWarmTags(tags).length;
  const parts = [
    ...(min === undefined ? [] : [`min=${min}`]),
    ...(max === undefined ? [] : [`max=${max}`]),
    tags[SCALING_TAG],
    tags[CAPACITY_TAG],
    ...(schedules === 0 ? [] : [`${schedules} ${schedules === 1 ? 'schedule' : 'schedules'}`]),
  ];
  return parts.filter((part) => part !== undefined).join(' ') || undefined;
}
