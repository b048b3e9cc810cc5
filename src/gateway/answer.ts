/** What the gateway itself answers. */
import { CATALOGUE } from '../kernel/mod.ts';
import type { ErrorCode } from '../kernel/mod.ts';
import type { Outcome } from '../engine/mod.ts';
import type { Reply } from './reply.ts';

export function sendFailure(reply: Reply, failure: Failure, headers: readonly string[] = []): void {
  // Nothing more can be said in an answer that has begun.
  if (!reply.open) return reply.destroy();
  const errorType = failure.code === undefined ? [] : ['x-amzn-errortype', failure.code];
  const body = JSON.stringify({ message: failure.message });
  reply.send(failure.status, ['content-type', 'application/json', ...errorType, ...headers], body);
}

export type Failure = { readonly status: number; readonly code?: string; readonly message: string };

/** What a caller over HTTP gets to know of an invocation that gave no answer: nothing of the function's inner life. */
export function failureOf(outcome: Extract<Outcome, { kind: 'functionError' | 'refused' }>): Failure {
  if (outcome.kind === 'functionError') {
    return outcome.error.errorType === 'Sandbox.Timedout'
      ? { status: 504, message: 'Endpoint request timed out' }
      : { status: 502, message: 'Internal Server Error' };
  }
  switch (outcome.code) {
    case 'TooManyRequestsException':
      return { status: 429, code: outcome.code, message: 'Rate Exceeded.' };
    case 'RequestTooLargeException':
      return { status: 413, code: outcome.code, message: outcome.message };
    case 'ShuttingDown':
      return { status: 503, code: outcome.code, message: 'Service Unavailable' };
    case 'SandboxFailed':
      return { status: 502, code: outcome.code, message: 'Internal Server Error' };
  }
}

export function failureFor(code: ErrorCode, message: string): Failure {
  return { status: CATALOGUE[code].status, code, message };
}
