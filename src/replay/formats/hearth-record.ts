import { invalid } from './csv.ts';
import { shown } from './columns.ts';
import { triggerOf } from './defaults.ts';
import { TRACE_LIMITS } from './source.ts';
import type { Trigger } from '../../policy/mod.ts';
import { countsOf } from '../counts.ts';
import type { TraceFunction } from '../trace.ts';

/** The year 2200. */
const LATEST_MS = 7_258_118_400_000;

/** Kinds of start for which an init had to be run first. */
const COLD = new Set<unknown>(['boot', 'spawn']);

/** What the lines of one function say. */
export class FunctionRecord {
  readonly #name: string;
  readonly #arrivals = new Numbers();
  readonly #durations = new Numbers();
  readonly #coldWaits = new Numbers();
  readonly #inits = new Numbers();
  readonly #triggers = new Map<Trigger, number>();
  #usedMiB = 0;
  #memoryMiB = 0;
  #arrivalsMs = new Float64Array();

  constructor(name: string) {
    this.#name = name;
  }

  add(fields: Readonly<Record<string, unknown>>, place: { readonly file: string; readonly line: number }): void {
    const number = (name: string, max: number): number | undefined => {
      const value = fields[name];
      if (value === undefined) return undefined;
      if (typeof value === 'number' && value >= 0 && value <= max) return value;
      throw invalid(place.file, place.line, `"${name}" is ${shown(JSON.stringify(value))}: it must be a number from 0 to ${max}`);
    };
    const needed = (name: string, max: number): number => {
      const value = number(name, max);
      if (value === undefined) throw invalid(place.file, place.line, `"${name}" is missing`);
      return value;
    };
    const atMs = needed('atMs', LATEST_MS);
    const durationMs = needed('durationMs', TRACE_LIMITS.durationMs);
    const waitMs = number('waitMs', TRACE_LIMITS.durationMs) ?? 0;
    const initMs = number('initMs', TRACE_LIMITS.durationMs);
    const memoryMiB = number('memoryMiB', TRACE_LIMITS.memoryMiB) ?? 0;
    const usedMiB = number('usedMiB', TRACE_LIMITS.memoryMiB) ?? 0;
    this.#arrivals.push(atMs);
    this.#durations.push(durationMs);
    if (COLD.has(fields['start'])) this.#coldWaits.push(waitMs);
    if (initMs !== undefined) this.#inits.push(initMs);
    this.#memoryMiB = Math.max(this.#memoryMiB, memoryMiB);
    this.#usedMiB = Math.max(this.#usedMiB, usedMiB);
    // "invoke", a call by the API, says nothing about how calls come.
    const trigger = triggerOf(typeof fields['trigger'] === 'string' ? fields['trigger'] : '') ?? 'others';
    this.#triggers.set(trigger, (this.#triggers.get(trigger) ?? 0) + 1);
  }

  sort(): void {
    this.#arrivalsMs = this.#arrivals.sorted();
  }

  get firstMs(): number {
    return this.#arrivalsMs[0]!;
  }

  get lastMs(): number {
    return this.#arrivalsMs.at(-1)!;
  }

  /** After `sort`. `startMs`: where minute 0 begins. */
  finish(startMs: number): TraceFunction {
    const arrivalsMs = this.#arrivalsMs.map((atMs) => atMs - startMs);
    const durations = this.#durations.sorted();
    const initMs = median(this.#coldWaits) ?? median(this.#inits);
    const [trigger] = [...this.#triggers].toSorted(([, one], [, other]) => other - one)[0]!;
    return {
      id: this.#name,
      app: this.#name,
      trigger,
      durationMs: {
        average: durations.reduce((sum, ms) => sum + ms, 0) / durations.length,
        p50: quantile(durations, 0.5),
        p99: quantile(durations, 0.99),
        max: durations.at(-1)!,
      },
      // What it has used is what it takes when it is kept; the configured size is only its limit.
      memoryMiB: this.#usedMiB || this.#memoryMiB || 128,
      ...(initMs !== undefined && { initMs }),
      counts: countsOf(arrivalsMs),
      arrivalsMs,
    };
  }
}

/** The smallest value that `part` of the values do not exceed. */
const quantile = (sorted: Float64Array, part: number): number => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)]!;

function median(numbers: Numbers): number | undefined {
  const sorted = numbers.sorted();
  return sorted.length === 0 ? undefined : quantile(sorted, 0.5);
}

/** A list of numbers without an object for each. */
class Numbers {
  #values = new Float64Array(16);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const more = new Float64Array(2 * this.#length);
      more.set(this.#values);
      this.#values = more;
    }
    this.#values[this.#length++] = value;
  }

  sorted(): Float64Array<ArrayBuffer> {
    return this.#values.slice(0, this.#length).sort();
  }
}
