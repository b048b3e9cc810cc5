/**
 * `performance` counts from the beginning of the process that it is asked in. Node's own count began with the zygote and can't be moved, so what
 * functions see is that count less what had passed when their process began.
 */
import { machineMs } from '../ladder/steps.ts';

type MarkOptions = { readonly startTime?: number };
type MeasureOptions = { readonly start?: number | string; readonly end?: number | string; readonly duration?: number };

const { performance } = globalThis;
const { defineProperty } = Object;
const { apply } = Reflect;
const { mark, measure, timeOrigin } = performance;
const sinceZygote = performance.now.bind(performance);
/** When the zygote's own count began, by the machine's clock. */
const zygoteMs = machineMs() - sinceZygote();
let beginning = 0;

/** Once, before any user code. */
export function ownTimeOrigin(): void {
  const replacements = {
    now,
    mark: (name: string, options?: MarkOptions) => apply(mark, performance, [name, { ...options, startTime: options?.startTime ?? now() }]),
    measure: (name: string, from?: string | MeasureOptions, to?: string) =>
      apply(measure, performance, to === undefined ? [name, untilNow(from)] : [name, from, to]) as unknown,
  };
  for (const [name, value] of Object.entries(replacements))
    defineProperty(performance, name, { value, configurable: true, writable: true });
  defineProperty(performance, 'timeOrigin', { get: () => timeOrigin + beginning, configurable: true, enumerable: true });
}

/** In a process that has just been forked, at `nowMs` as `machineMs` says. */
export function refreshTimeOrigin(nowMs: number): void {
  beginning = nowMs - zygoteMs;
}

const now = (): number => sinceZygote() - beginning;

/** What is measured without an end ends now, and without a beginning began with the process. */
function untilNow(from: string | MeasureOptions | undefined): MeasureOptions {
  if (typeof from !== 'object') return { start: from ?? 0, end: now() };
  const ends = from.end !== undefined || (from.start !== undefined && from.duration !== undefined);
  return ends ? from : { ...from, end: now() };
}
