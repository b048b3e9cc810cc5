/**
 * The hybrid histogram policy of Shahrad et al., "Serverless in the Wild", USENIX ATC 2020: a histogram of idle times in bins of a minute up to
 * four hours. Where it says something, an instance is dropped after a call, loaded again before the 5th percentile less 10 %, and held until
 * the 99th plus 10 %. Where it doesn't, the instance is held for the four hours; and where most idle times are longer than that,
 * around the time that they usually take. The paper fits an ARIMA model for those; their mean, with its 15 % to either side, stands for it here.
 */
import type { Call, Explanation, FunctionWarming, Plan, WarmingPolicy } from './policy.ts';

export function histogramPolicy(): WarmingPolicy {
  return {
    name: 'histogram',
    eviction: 'lru',
    open: (_subject, saved) => new Histogram(saved),
    save: () => new Uint8Array(),
    load: (saved) => saved.byteLength === 0,
  };
}

class Histogram implements FunctionWarming {
  readonly #bins = new Uint32Array(RANGE);
  #calls = 0;
  #lastMs = -Infinity;
  #inRange = 0;
  /** Of the counts, for the coefficient of variation. */
  #squares = 0;
  #beyond = 0;
  #meanBeyondMs = 0;

  constructor(saved: Uint8Array | undefined) {
    if (saved?.byteLength !== BYTES) return;
    const [calls, lastMs, beyond, meanBeyondMs] = new Float64Array(saved.slice(0, HEAD_BYTES).buffer) as unknown as Head;
    this.#calls = calls;
    this.#lastMs = lastMs;
    this.#beyond = beyond;
    this.#meanBeyondMs = meanBeyondMs;
    this.#bins.set(new Uint32Array(saved.slice(HEAD_BYTES).buffer));
    for (const count of this.#bins) {
      this.#inRange += count;
      this.#squares += count * count;
    }
  }

  called({ atMs }: Call): readonly string[] {
    if (this.#calls++ > 0) this.#learn(atMs - this.#lastMs);
    this.#lastMs = atMs;
    return NONE;
  }

  plan(nowMs: number): Plan {
    if (this.#calls === 0) return [{ atMs: nowMs, rung: 'nothing' }];
    const { fromMs, untilMs } = this.#window();
    const beginMs = this.#lastMs + fromMs;
    const endMs = this.#lastMs + untilMs;
    if (endMs <= nowMs) return [{ atMs: nowMs, rung: 'nothing' }];
    const held = [
      { atMs: Math.max(nowMs, beginMs), rung: 'instance' },
      { atMs: endMs, rung: 'nothing' },
    ] as const;
    return beginMs > nowMs ? [{ atMs: nowMs, rung: 'nothing' }, ...held] : held;
  }

  explain(nowMs: number): Explanation {
    const plan = this.plan(nowMs);
    const none = { chance: 0, savingMiBSeconds: 0, costMiBSeconds: 0 };
    return {
      policy: 'histogram',
      reason: REASONS[this.#window().kind],
      calls: this.#calls,
      lastCallMs: this.#calls > 0 ? this.#lastMs : undefined,
      next: undefined,
      stretches: plan.map(({ rung, atMs }, i) => ({ ...none, rung, fromMs: atMs, untilMs: plan[i + 1]?.atMs ?? Infinity })),
    };
  }

  // What it costs and what it saves makes no difference here.
  update(): void {}

  save(): Uint8Array {
    const saved = new Uint8Array(BYTES);
    saved.set(new Uint8Array(Float64Array.of(this.#calls, this.#lastMs, this.#beyond, this.#meanBeyondMs).buffer));
    saved.set(new Uint8Array(this.#bins.buffer), HEAD_BYTES);
    return saved;
  }

  close(): void {}

  #learn(idleMs: number): void {
    const bin = Math.floor(idleMs / MINUTE_MS);
    if (bin >= RANGE) {
      this.#beyond++;
      this.#meanBeyondMs += (idleMs - this.#meanBeyondMs) / this.#beyond;
      return;
    }
    const count = this.#bins[bin]!;
    this.#squares += 2 * count + 1;
    this.#bins[bin] = count + 1;
    this.#inRange++;
  }

  #window(): { readonly kind: keyof typeof REASONS; readonly fromMs: number; readonly untilMs: number } {
    if (this.#beyond > this.#inRange) {
      return { kind: 'beyond', fromMs: this.#meanBeyondMs * (1 - BEYOND_MARGIN), untilMs: this.#meanBeyondMs * (1 + BEYOND_MARGIN) };
    }
    if (this.#inRange === 0 || this.#variation() < LEAST_VARIATION) return { kind: 'unclear', fromMs: 0, untilMs: RANGE * MINUTE_MS };
    const headMs = this.#percentileBin(HEAD) * MINUTE_MS;
    const tailMs = (this.#percentileBin(TAIL) + 1) * MINUTE_MS;
    return { kind: 'clear', fromMs: headMs * (1 - MARGIN), untilMs: tailMs * (1 + MARGIN) };
  }

  /** Standard deviation of the bins' counts by their mean: high where the idle times are in a few of them. */
  #variation(): number {
    const mean = this.#inRange / RANGE;
    return Math.sqrt(this.#squares / RANGE - mean * mean) / mean;
  }

  #percentileBin(part: number): number {
    let left = Math.ceil(part * this.#inRange);
    let bin = 0;
    while ((left -= this.#bins[bin]!) > 0) bin++;
    return bin;
  }
}

type Head = readonly [calls: number, lastMs: number, beyond: number, meanBeyondMs: number];

const REASONS = {
  clear: 'its idle times are in a few bins: an instance is held between their 5th and their 99th percentile',
  unclear: 'its idle times say too little: an instance is held for four hours',
  beyond: 'most of its idle times are longer than four hours: an instance is held around their mean',
} as const;

const MINUTE_MS = 60_000;
const RANGE = 240;
const HEAD = 0.05;
const TAIL = 0.99;
const MARGIN = 0.1;
const BEYOND_MARGIN = 0.15;
const LEAST_VARIATION = 2;
const HEAD_BYTES = 32;
const BYTES = HEAD_BYTES + RANGE * 4;
const NONE: readonly never[] = [];
