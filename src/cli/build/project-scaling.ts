/** `scaling` of hearth.json: how the function scales. What it leaves out is as it is by default. */
import { z } from 'zod';
import { HearthError } from '../../kernel/mod.ts';
import { CAPACITY_CLASSES, parseDuration, parseWarmTags, SCHEDULE_DEFAULTS, WARM_TAG_PREFIX, warmTagText } from '../../protocol/mod.ts';

const schedule = z.strictObject({ cron: z.string(), for: z.string(), instances: z.int().min(1), timezone: z.string().optional() });

export const scalingSchema = z.strictObject({
  concurrency: z.int().optional(),
  min: z.int().optional(),
  max: z.int().optional(),
  target: z.number().optional(),
  scaleDownDelay: z.string().optional(),
  burst: z.number().optional(),
  queueDepth: z.int().optional(),
  queueAge: z.string().optional(),
  class: z.enum(CAPACITY_CLASSES).optional(),
  labels: z.array(z.string()).optional(),
  /** By their ids. */
  schedules: z.record(z.string(), schedule).optional(),
});
export type ProjectScaling = z.infer<typeof scalingSchema>;

const NUMBERS = ['concurrency', 'min', 'max', 'target', 'scaleDownDelay', 'burst', 'queueDepth', 'queueAge', 'class'] as const;

/** As the command line would say it, each setting one way or the other. */
export function scalingOptions(
  scaling: ProjectScaling,
): Readonly<Record<(typeof NUMBERS)[number], string>> & { readonly label: readonly string[] } {
  const words = Object.fromEntries(NUMBERS.map((name) => [name, String(scaling[name] ?? 'default')]));
  return { ...(words as Record<(typeof NUMBERS)[number], string>), label: scaling.labels ?? [] };
}

/** The tags of its schedules. Throws HearthError `BadUsage`. */
export function scheduleTags({ schedules = {} }: ProjectScaling): Readonly<Record<string, string>> {
  const tags = Object.fromEntries(
    Object.entries(schedules).map(([id, { cron, for: text, instances, timezone = SCHEDULE_DEFAULTS.timezone }]) => {
      const tag = { id, expression: cron, timezone, forMs: parseDuration(text) ?? 0, instances, qualifier: SCHEDULE_DEFAULTS.qualifier };
      return [`${WARM_TAG_PREFIX}${id}`, warmTagText(tag)];
    }),
  );
  try {
    parseWarmTags(tags);
  } catch (error) {
    throw new HearthError('BadUsage', `"schedules" in hearth.json: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return tags;
}
