import { LIMITS, unreachable } from '../kernel/mod.ts';
import type { Exit, InitFailure } from '../ports/mod.ts';
import type { FunctionError } from '../protocol/mod.ts';

/** Errors in the words of AWS Lambda, as its callers and its log readers know them. `requestId` undefined: outside of any invocation. */

export function timeoutError(requestId: string, timeoutMs: number): FunctionError {
  return { errorType: 'Sandbox.Timedout', errorMessage: of(requestId, `Task timed out after ${seconds(timeoutMs)} seconds`) };
}

export function exitError(requestId: string | undefined, exit: Exit): FunctionError {
  switch (exit.kind) {
    case 'exited':
      return runtimeExit(requestId, exit.code === 0 ? undefined : `exit status ${exit.code}`);
    case 'signalled':
      return runtimeExit(requestId, `signal: ${SIGNALS[exit.signal] ?? exit.signal}`);
    case 'outOfMemory':
      return { ...runtimeExit(requestId, 'signal: killed'), errorType: 'Runtime.OutOfMemory' };
    case 'ended':
      return runtimeExit(requestId, 'signal: killed');
    case 'violated':
      return { errorType: 'Runtime.ProtocolViolation', errorMessage: of(requestId, exit.message) };
    default:
      return unreachable(exit);
  }
}

export function initError(requestId: string | undefined, failure: InitFailure, initTimeoutMs: number): FunctionError {
  switch (failure.kind) {
    case 'failed':
      return failure.error;
    case 'exited':
      return exitError(requestId, failure.exit);
    case 'timedOut':
      return {
        errorType: 'Sandbox.Timedout',
        errorMessage: of(
          requestId,
          `Init timed out after ${seconds(initTimeoutMs)} seconds${failure.missing === undefined ? '' : `: ${failure.missing}`}`,
        ),
      };
    default:
      return unreachable(failure);
  }
}

/** Lambda allows the frame around a buffered response 100 bytes more than a request. */
export const RESPONSE_BYTES = LIMITS.payloadBytes + 100;

export function responseTooLarge(limitBytes: number): FunctionError {
  return {
    errorType: 'Function.ResponseSizeTooLarge',
    errorMessage: `Response payload size exceeded maximum allowed payload size (${limitBytes} bytes).`,
  };
}

export const seconds = (ms: number): string => (ms / 1000).toFixed(2);

const of = (requestId: string | undefined, text: string): string =>
  requestId === undefined ? `Error: ${text}` : `RequestId: ${requestId} Error: ${text}`;

const runtimeExit = (requestId: string | undefined, reason: string | undefined): FunctionError => ({
  errorType: 'Runtime.ExitError',
  errorMessage: of(requestId, reason === undefined ? 'Runtime exited without providing a reason' : `Runtime exited with error: ${reason}`),
});

/** Names as Go's os package prints them, which is what Lambda shows. */
const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: 'aborted',
  SIGALRM: 'alarm clock',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGHUP: 'hangup',
  SIGILL: 'illegal instruction',
  SIGINT: 'interrupt',
  SIGKILL: 'killed',
  SIGPIPE: 'broken pipe',
  SIGQUIT: 'quit',
  SIGSEGV: 'segmentation fault',
  SIGSYS: 'bad system call',
  SIGTERM: 'terminated',
  SIGTRAP: 'trace/breakpoint trap',
};
