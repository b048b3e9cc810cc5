/** How many invocations one instance runs at a time: as its version says, or a tag of the function, where the runtime can do that. */
import { runsSeveralAtATime } from '../kernel/mod.ts';
import { parseScaling, SCALING_TAG } from '../protocol/mod.ts';
import { invalid } from './invalid.ts';
import type { FunctionRecord, FunctionSettings } from './records.ts';

type Tags = Readonly<Record<string, string>>;

/** What is wanted of it, and 1 where the runtime can't. */
export function instanceConcurrency({ tags }: Pick<FunctionRecord, 'tags'>, settings: FunctionSettings): number {
  return canShare(settings) ? wantedOf(settings, tags) : 1;
}

/** Throws `InvalidParameterValueException` where more than one at a time is asked of a runtime that can't. */
export function checkInstanceConcurrency(settings: FunctionSettings, tags: Tags): void {
  const wanted = wantedOf(settings, tags);
  if (wanted === 1 || canShare(settings)) return;
  const what = settings.image ? 'A container image' : `The runtime ${settings.runtime}`;
  throw invalid(`${what} runs one invocation at a time in an instance, and ${wanted} were asked for. Those of Node run more.`);
}

const wantedOf = ({ capacityProvider }: FunctionSettings, tags: Tags): number =>
  capacityProvider?.concurrency ?? parseScaling(tags[SCALING_TAG]).concurrency ?? 1;

const canShare = ({ runtime, image }: FunctionSettings): boolean => !image && runsSeveralAtATime(runtime);
