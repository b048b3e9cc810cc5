/** The policies that predict nothing: hold an instance for a time after each call, which may be none, or for ever. */
import type { Call, EvictionOrder, Explanation, FunctionWarming, Plan, WarmingPolicy } from './policy.ts';

/** `keepMs`: Infinity: until memory is wanted for something else. */
export function keepPolicy({ name, keepMs, eviction }: { name: string; keepMs: number; eviction: EvictionOrder }): WarmingPolicy {
  return {
    name,
    eviction,
    open: (_subject, saved) => new Kept(name, keepMs, saved),
    save: () => new Uint8Array(),
    load: (saved) => saved.byteLength === 0,
  };
}

class Kept implements FunctionWarming {
  readonly #name: string;
  readonly #keepMs: number;
  #calls = 0;
  #lastMs = -Infinity;

  constructor(name: string, keepMs: number, saved: Uint8Array | undefined) {
    this.#name = name;
    this.#keepMs = keepMs;
    if (saved?.byteLength !== BYTES) return;
    [this.#calls, this.#lastMs] = [...new Float64Array(saved.slice().buffer)] as [number, number];
  }

  called({ atMs }: Call): readonly string[] {
    this.#calls++;
    this.#lastMs = atMs;
    return NONE;
  }

  plan(nowMs: number): Plan {
    const untilMs = this.#lastMs + this.#keepMs;
    if (this.#calls === 0 || !(untilMs > nowMs)) return [{ atMs: nowMs, rung: 'nothing' }];
    const held = { atMs: nowMs, rung: 'instance' } as const;
    return untilMs === Infinity ? [held] : [held, { atMs: untilMs, rung: 'nothing' }];
  }

  explain(nowMs: number): Explanation {
    const [first, end] = this.plan(nowMs);
    const stretch = { chance: 0, savingMiBSeconds: 0, costMiBSeconds: 0, fromMs: nowMs, untilMs: end?.atMs ?? Infinity };
    return {
      policy: this.#name,
      reason: `this policy holds an instance for ${this.#keepMs / 1_000} s after a call, and predicts nothing`,
      calls: this.#calls,
      lastCallMs: this.#calls > 0 ? this.#lastMs : undefined,
      next: undefined,
      stretches: [{ ...stretch, rung: first!.rung }],
    };
  }

  // What it costs and what it saves makes no difference here.
  update(): void {}

  save(): Uint8Array {
    return new Uint8Array(Float64Array.of(this.#calls, this.#lastMs).buffer);
  }

  close(): void {}
}

const BYTES = 16;
const NONE: readonly never[] = [];
