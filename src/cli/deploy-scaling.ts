/** What of scaling comes with a deployment: by hearth.json, which says all of it or nothing, and by options, which come on top. */
import { WARM_TAG_PREFIX } from '../protocol/mod.ts';
import { scalingOptions, scheduleTags } from './build/mod.ts';
import type { Project } from './build/mod.ts';
import type { Client } from './client.ts';
import type { FunctionConfiguration } from './lambda.ts';
import { changedScaling, putScaling, readScaling } from './scaling-settings.ts';
import type { Current, ScaleOptions } from './scaling-settings.ts';

const VERSION = '$LATEST';

/** Throws what is wrong with them, before anything is sent. */
export function checkScaling(project: Project, options: ScaleOptions): void {
  scalingAfter({ tags: {} }, project, options);
}

/** Returns whether something changed. */
export async function deployScaling(
  client: Client,
  state: FunctionConfiguration,
  project: Project,
  options: ScaleOptions,
): Promise<boolean> {
  if (!project.scaling && !OPTIONS.some((name) => options[name] !== undefined)) return false;
  const before = await readScaling(client, state, VERSION);
  return putScaling(client, state, { version: VERSION, before, after: scalingAfter(before, project, options) });
}

const OPTIONS = [
  ...['concurrency', 'min', 'max', 'target', 'scaleDownDelay', 'burst', 'queueDepth', 'queueAge', 'class', 'label'],
] as readonly (keyof ScaleOptions)[];

function scalingAfter(before: Current, { scaling, runtime }: Project, options: ScaleOptions): Current {
  const given = Object.fromEntries(OPTIONS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
  if (!scaling) return changedScaling(before, given, runtime);
  const others = Object.entries(before.tags).filter(([key]) => !key.startsWith(WARM_TAG_PREFIX));
  const tags = { ...Object.fromEntries(others), ...scheduleTags(scaling) };
  return changedScaling({ ...before, tags }, { ...scalingOptions(scaling), ...given }, runtime);
}
