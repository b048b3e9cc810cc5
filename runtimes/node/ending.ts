/**
 * Every way in which the process can end goes through here: process.exit, an uncaught exception, an unhandled rejection, an event loop
 * that has run empty. The host hears of it first; then the `exit` hook ends the process. (In a forked instance Node's own exit would
 * wait for threads that are not there, so the hook is _exit(2).)
 */
import type { Channel } from './channel.ts';
import { KIND } from './channel.ts';
import { flushLines, logError } from './console.ts';
import type { FunctionError } from './errors.ts';
import { RuntimeError, toFunctionError } from './errors.ts';

export type Ending = {
  /** Ends the process at once. */
  exit: (code: number) => void;
  /** Reports an error that ends the process, before it ends. */
  fault: (error: FunctionError) => void;
  /** The event loop has nothing left to do. */
  idle: () => void;
};

const { stringify } = JSON;
const processExit = process.exit;
const reallyExit = (process as unknown as { reallyExit(code: number): void }).reallyExit.bind(process);

/** What happens now; its members change as the process goes from init to serving. */
export const ending: Ending = { exit: reallyExit, fault: () => {}, idle: () => {} };
/** Node passes on what process.exit was given, '3' as well as 3. */
const toNumber: (value: unknown) => number = Number;
let installed = false;
let ended = false;

export function installEnding(channel: Channel): void {
  channel.lost = () => ending.exit(0);
  if (installed) return;
  installed = true;
  (process as unknown as { reallyExit(code: number): void }).reallyExit = (code) => {
    // What happens on the way out must not end it a second time.
    if (!ended) {
      ended = true;
      flushLines();
      channel.flush();
      channel.sendText(KIND.exit, 0, 0, 0, stringify({ code: toNumber(code) }));
    }
    ending.exit(code);
  };
  process.on('uncaughtException', (error) => {
    logError('Uncaught Exception', error);
    endWith(toFunctionError(error), 129);
  });
  process.on('unhandledRejection', (reason) => {
    const error = rejection(reason);
    logError('Unhandled Promise Rejection', error);
    endWith(toFunctionError(error), 128);
  });
  process.on('beforeExit', () => ending.idle());
}

export function endWith(error: FunctionError, code: number): void {
  flushLines();
  ending.fault(error);
  processExit.call(process, code);
}

function rejection(reason: unknown): RuntimeError {
  const { errorType, errorMessage, stackTrace } = toFunctionError(reason);
  const isError = reason instanceof Error;
  const error = new RuntimeError('UnhandledPromiseRejection', isError ? `${errorType}: ${errorMessage}` : errorMessage, { cause: reason });
  // The place of the rejected error, where there is one, says more than this one.
  error.stack = [`${error.name}: ${error.message}`, ...(isError ? (stackTrace ?? []) : [])].join('\n');
  return error;
}
