/**
 * What V8 would compile in every instance anew, though the machine code or bytecode is the same in each: in the template for all of them, or
 * not before an instance has lived for a while.
 */
import { setFlagsFromString } from 'node:v8';
import { uncurry } from '../ladder/uncurry.ts';

// Kept: user code can replace what a module of Node's exports.
const setFlags = setFlagsFromString;
const sourceOf = uncurry<(...args: never[]) => unknown, [], string>(Function.prototype.toString);
const endsWith = uncurry<string, [string], boolean>(String.prototype.endsWith);
const NO_SOURCE = '[native code] }';

setFlags('--allow-natives-syntax');
// oxlint-disable-next-line no-implied-eval, no-new-func -- the syntax of V8's own functions, which no module may have
const prepare = new Function('f', '%PrepareFunctionForOptimization(f)') as (f: (...args: never[]) => unknown) => void;
// oxlint-disable-next-line no-implied-eval, no-new-func -- likewise
const optimizeSoon = new Function('f', '%OptimizeMaglevOnNextCall(f)') as typeof prepare;
setFlags('--no-allow-natives-syntax');

/** Compiles a function that has not run yet. One that has no source, as what `bind` makes, stays as it is: V8 would end the process. */
export function compile(f: (...args: never[]) => unknown): void {
  if (!endsWith(sourceOf(f), NO_SOURCE)) prepare(f);
}

/** Has a function optimised that has run often enough for V8 to know what it is given. `call` calls it. */
export function optimize(f: (...args: never[]) => unknown, call: () => void): void {
  prepare(f);
  call();
  optimizeSoon(f);
  call();
}

/** So many bytes of baseline code V8 collects before it makes them. */
const BATCH_BYTES = 4096;

/** Keeps V8 from making baseline code of what has become warm, until `tierUp`: a first invocation would pay for what was there before it. */
export const waitWithTiers = (): void => setFlags(`--baseline-batch-compilation-threshold=${BATCH_BYTES * 64}`);

export const tierUp = (): void => setFlags(`--baseline-batch-compilation-threshold=${BATCH_BYTES}`);
