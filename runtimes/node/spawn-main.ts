/**
 * A function as a plain process, without isolation: `node spawn-main.mjs TASK_ROOT HANDLER CONCURRENCY`, with the function's environment
 * as its own and the channel to the host as descriptor 3.
 */
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
const [taskRoot, handler, concurrency] = process.argv.splice(2) as [string, string, string];
const loader = process.env['AWS_EXECUTION_ENV'] === 'AWS_Lambda_wasm' ? 'wasm' : 'node';
const channel = new Channel(CHANNEL);

const outcome = await initialise({ taskRoot, handler, loader, channel });
if (reportInit(channel, outcome, [beganMs, loadedMs])) {
  const birth = { begunMs: 0, forkedMs: 0, readyMs: machineMs(), eventMs: 0 };
  if (hasAfterRestore()) await restore(channel, exit);
  prepareServing(outcome, channel, { concurrency: Number(concurrency), exit })(birth);
} else process.exit(1);
