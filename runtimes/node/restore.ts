/**
 * The hooks that run in an instance before its first invocation: when that is there, so that an instance forked ahead opens nothing that would
 * rot while it waits. They run in that invocation's time.
 */
import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import { logError } from './console.ts';
import { endWith, ending } from './ending.ts';
import { hookError, toFunctionError } from './errors.ts';
import { runAfterRestore } from './hooks.ts';

/** As on Lambda. */
const LIMIT_MS = 10_000;
const EXIT_CODE = 64;
const { stringify } = JSON;
const { clearTimeout, setTimeout } = globalThis;

/** When a hook fails, so does the invocation that waits, and the process ends. */
export async function restore(channel: Channel, exit: (code: number) => void): Promise<void> {
  ending.exit = exit;
  if (!channel.read()) exit(0);
  const { stream } = channel;
  channel.unread();
  ending.fault = (error) => channel.sendText(KIND.error, stream, 4, 0, stringify(error));
  ending.idle = () => fail(new Error('an afterRestore hook awaits a promise that nothing is left to settle'));
  // Not what keeps the event loop going: a hook that waits for nothing is told at once.
  const limit = setTimeout(() => fail(new Error(`the afterRestore hooks did not end within ${LIMIT_MS / 1000} seconds`)), LIMIT_MS).unref();
  try {
    await runAfterRestore();
  } catch (error) {
    fail(error);
  } finally {
    clearTimeout(limit);
  }
}

function fail(thrown: unknown): void {
  const error = hookError('AfterRestoreError', thrown);
  logError('Restore Error', error);
  endWith(toFunctionError(error), EXIT_CODE);
}
