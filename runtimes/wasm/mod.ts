/** What the command line uses of this runtime: running a module in its own process. */
export { LoadError } from './errors.ts';
export { runCommand } from './run.ts';
export type { RunOptions, RunOutcome } from './run.ts';
