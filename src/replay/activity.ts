/** A trace, minute by minute: which functions are called in each, how often, and, where that is asked for, when. */
import { arrivalsOf } from './live/arrivals.ts';
import type { Trace } from './trace.ts';

/** A call, or so many within a minute that the function is taken for busy from the first to the last of them. */
export type Arrival = { readonly index: number; readonly atMs: number; readonly untilMs: number; readonly calls: number };

export class Activity {
  /** Where each minute's entries begin in the other two. */
  readonly #begins: Uint32Array;
  readonly #functions: Uint32Array;
  readonly #calls: Float64Array;
  readonly #times: readonly Float64Array[];
  /** Of each function, how many of its arrivals are gone through. */
  readonly #next: Uint32Array;

  constructor(trace: Trace, seed: number | undefined) {
    this.#begins = new Uint32Array(trace.minutes + 2);
    for (const { counts } of trace.functions) for (const [minute] of counts) this.#begins[minute + 2]!++;
    for (let minute = 0; minute < trace.minutes; minute++) this.#begins[minute + 2]! += this.#begins[minute + 1]!;
    const entries = this.#begins[trace.minutes + 1]!;
    this.#functions = new Uint32Array(entries);
    this.#calls = new Float64Array(entries);
    trace.functions.forEach(({ counts }, index) => {
      for (const [minute, calls] of counts) {
        const at = this.#begins[minute + 1]!++;
        this.#functions[at] = index;
        this.#calls[at] = calls;
      }
    });
    const { minutes: toMinute, functions } = trace;
    this.#times = seed === undefined ? [] : functions.map((traced) => arrivalsOf(traced, { seed, fromMinute: 0, toMinute }));
    this.#next = new Uint32Array(trace.functions.length);
  }

  /** The functions that are called in a minute, in the trace's order. */
  functionsIn(minute: number): Uint32Array {
    return this.#functions.subarray(this.#begins[minute], this.#begins[minute + 1]);
  }

  callsIn(minute: number): Float64Array {
    return this.#calls.subarray(this.#begins[minute], this.#begins[minute + 1]);
  }

  /** All of a minute's arrivals in order of time. Minutes are to be asked for one after another. */
  arrivalsIn(minute: number): readonly Arrival[] {
    const found: Arrival[] = [];
    const calls = this.callsIn(minute);
    this.functionsIn(minute).forEach((index, i) => {
      const from = this.#next[index]!;
      const times = this.#times[index]!.subarray(from, from + calls[i]!);
      this.#next[index] = from + times.length;
      if (times.length > EACH) found.push({ index, atMs: times[0]!, untilMs: times.at(-1)!, calls: times.length });
      else for (const atMs of times) found.push({ index, atMs, untilMs: atMs, calls: 1 });
    });
    return found.sort((one, other) => one.atMs - other.atMs);
  }
}

/** More calls of a function than that in one minute are taken together. */
const EACH = 12;
