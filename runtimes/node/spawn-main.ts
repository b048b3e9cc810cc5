/**
 * A function as a process of its own: `node spawn-main.mjs TASK_ROOT HANDLER CONCURRENCY`, with the function's environment as its own and the
 * channel to the host as descriptor 3. Started by a wrapper of the function's it has no arguments: those of Node can be added before the last.
 */
import { fstatSync, writeSync } from 'node:fs';
import { machineMs } from '../ladder/steps.ts';
import { reportInit } from './boot.ts';
import { Channel } from './channel.ts';
import { ending } from './ending.ts';
import { initialise } from './init.ts';
import { hasAfterRestore } from './hooks.ts';
import { restore } from './restore.ts';
import { prepareServing } from './serve.ts';

const CHANNEL = 3;
const loadedMs = machineMs();
const beganMs = loadedMs - performance.now();
const { exit } = ending;
const { LAMBDA_TASK_ROOT = '', _HANDLER = '', AWS_LAMBDA_MAX_CONCURRENCY = '1' } = process.env;
const [taskRoot = LAMBDA_TASK_ROOT, handler = _HANDLER, concurrency = AWS_LAMBDA_MAX_CONCURRENCY] = process.argv.splice(2);
if (!isSocket(CHANNEL)) {
  writeSync(2, 'What started the runtime has closed its descriptor 3: a wrapper has to leave descriptors open, as exec in a shell does.\n');
  process.exit(1);
}
const loader = process.env['AWS_EXECUTION_ENV'] === 'AWS_Lambda_wasm' ? 'wasm' : 'node';
const channel = new Channel(CHANNEL);

const outcome = await initialise({ taskRoot, handler, loader, channel });
if (reportInit(channel, outcome, [beganMs, loadedMs])) {
  const birth = { begunMs: 0, forkedMs: 0, readyMs: machineMs(), eventMs: 0 };
  if (hasAfterRestore()) await restore(channel, exit);
  prepareServing(outcome, channel, { concurrency: Number(concurrency), exit })(birth);
} else process.exit(1);

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    // EBADF: it is closed.
    return false;
  }
}
