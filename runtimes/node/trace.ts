/** The trace of the invocation, in the environment: there Lambda's functions look for it. */
import { native } from './native.ts';

const VARIABLE = '_X_AMZN_TRACE_ID';
const { process } = globalThis;
const environment = process.env;
let current: string | undefined;

export function setTrace(trace: string | undefined): void {
  if (trace === current) return;
  current = trace;
  // User code may have put an object of its own in place of the environment.
  const { env } = process;
  if (trace === undefined) delete env[VARIABLE];
  else if (env !== environment || !native?.setTrace(trace)) env[VARIABLE] = trace;
}
