/**
 * What a function stands for that was made to replay another one, as the tag `hearth:replay` says it: what of that other one's memory an
 * instance takes and, below it, a template, in MiB, and what each saves of a cold start, in milliseconds.
 *
 *   instance=17.2:15.5 template=150:12.1
 */
export type ReplayTag = { readonly instance: ReplayCost; readonly template?: ReplayCost };
export type ReplayCost = { readonly memoryMiB: number; readonly savedMs: number };

export const REPLAY_TAG = 'hearth:replay';

/** Undefined: it says no such thing. */
export function parseReplayTag(text: string | undefined): ReplayTag | undefined {
  const [, memory, saved, templateMemory, templateSaved] = FORM.exec(text ?? '') ?? [];
  if (memory === undefined) return undefined;
  const instance = { memoryMiB: Number(memory), savedMs: Number(saved) };
  if (templateMemory === undefined) return { instance };
  return { instance, template: { memoryMiB: Number(templateMemory), savedMs: Number(templateSaved) } };
}

const NUMBER = String.raw`(\d{1,7}(?:\.\d{1,3})?)`;
const FORM = new RegExp(`^instance=${NUMBER}:${NUMBER}(?: template=${NUMBER}:${NUMBER})?$`);

export function replayTagText({ instance, template }: ReplayTag): string {
  const cost = ({ memoryMiB, savedMs }: ReplayCost) => `${thousandths(memoryMiB)}:${thousandths(savedMs)}`;
  return `instance=${cost(instance)}${template ? ` template=${cost(template)}` : ''}`;
}

/** As numbers are written there. */
export const thousandths = (value: number): number => Math.round(value * 1_000) / 1_000;
