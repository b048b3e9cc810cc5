/**
 * Runs in a blank sandbox what init will run, so that the memory it needs is there when there is a function: a forked process copies each
 * page that it writes to, and maps each that it reads, at the first touch.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { libc } from '../ladder/libc.ts';
import { receiveMessage, sendMessage, socketPair } from '../ladder/messages.ts';
import { blockersSince } from './blockers.ts';
import { configureConsole } from './console.ts';
import { functionFacts } from './context.ts';
import { replaceEnvironment } from './init.ts';
import type { Prepared } from './init.ts';
import { loadHandler } from './load.ts';
import { forgetOpenings, stopWatchingOpenings, watchOpenings } from './openings.ts';

/** Where Lambda has its own runtime: no function's package.json is above it. */
const DIRECTORY = '/var/runtime';
const SOURCES = {
  'module.mjs': 'export const handler = async (event) => ({ statusCode: 200, body: event });\n',
  'script.cjs': 'exports.handler = async (event) => ({ statusCode: 200, body: event });\n',
};

/** In the root that is being built, at `root`. */
export function placeRehearsal(root: string): void {
  for (const [name, text] of Object.entries(SOURCES)) writeFileSync(join(`${root}${DIRECTORY}`, name), text, { mode: 0o444 });
}

export async function rehearseInit(prepared: Prepared): Promise<void> {
  const environment = { ...process.env };
  const [one, other] = socketPair();
  sendMessage(one, { do: 'init', handler: 'index.handler', environment }, [one]);
  for (const fd of receiveMessage(other)!.fds) libc.close(fd);
  libc.close(one);
  libc.close(other);
  replaceEnvironment(environment as Record<string, string>);
  configureConsole(environment);
  functionFacts(environment);
  watchOpenings();
  for (const file of ['module', 'script']) await loadHandler(DIRECTORY, `${file}.handler`);
  stopWatchingOpenings();
  blockersSince(prepared, DIRECTORY);
  forgetOpenings();
  // What functions can see of it.
  const { cache } = createRequire(import.meta.url);
  for (const path of Object.keys(cache)) delete cache[path];
}
