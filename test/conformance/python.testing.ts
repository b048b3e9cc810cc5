/** Functions in Python as plain processes, for tests: `node-function.ts` with another runtime. */
import type { TestContext } from 'node:test';
import { findInterpreter } from '../../runtimes/python/interpreter.ts';
import { bootFailure, run } from './node-function.ts';
import type { BootFailure, Booted, FunctionUnderTest } from './node-function.ts';

// Distributions install packages for their own, which others that come first in PATH don't see.
process.env['PATH'] = `/usr/bin:${process.env['PATH']}`;
const found = await findInterpreter('python3.11');

export const skip = typeof found === 'string' ? found : false;

/** As in the Lambda API, the one that tests run on. */
export const RUNTIME = typeof found === 'string' ? 'python3.11' : `python${found.version}`;

const asPython = (given: Partial<FunctionUnderTest> & { readonly code?: string }): FunctionUnderTest => ({
  runtime: RUNTIME,
  ...given,
  files: { ...(given.code !== undefined && { 'index.py': given.code }), ...given.files },
});

/** `code`: of index.py. */
export const runPython = (t: TestContext, given: Partial<FunctionUnderTest> & { readonly code?: string }): Promise<Booted> =>
  run(t, asPython(given));

export const pythonFailure = (t: TestContext, given: Partial<FunctionUnderTest> & { readonly code?: string }): Promise<BootFailure> =>
  bootFailure(t, asPython(given));
