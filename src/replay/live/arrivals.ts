import type { TraceFunction } from '../trace.ts';

const MINUTE_MS = 60_000;

export type ArrivalsOptions = { readonly seed: number; readonly fromMinute: number; readonly toMinute: number };

/**
 * When the function is called in those minutes, in milliseconds from the beginning of the first of them, in order. Where a trace knows only how
 * often it was called in a minute, the calls lie anywhere in it, at the same times for the same seed, whatever other functions there are.
 */
export function arrivalsOf(subject: TraceFunction, { seed, fromMinute, toMinute }: ArrivalsOptions): Float64Array {
  const [fromMs, toMs] = [fromMinute * MINUTE_MS, toMinute * MINUTE_MS];
  if (subject.arrivalsMs) return subject.arrivalsMs.filter((atMs) => atMs >= fromMs && atMs < toMs).map((atMs) => atMs - fromMs);
  const within = subject.counts.filter(([minute]) => minute >= fromMinute && minute < toMinute);
  const arrivals = new Float64Array(within.reduce((sum, [, calls]) => sum + calls, 0));
  const next = fractions(hash(subject.id) ^ seed);
  let at = 0;
  for (const [minute, calls] of within) {
    const first = at;
    for (let call = 0; call < calls; call++) arrivals[at++] = (minute + next()) * MINUTE_MS - fromMs;
    arrivals.subarray(first, at).sort();
  }
  return arrivals;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}

/** Numbers from 0 to below 1: mulberry32, as in the kernel, without a byte array for each. */
function fractions(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
