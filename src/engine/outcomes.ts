/** What becomes of an invocation, as its caller hears of it. */
import type { FunctionError } from '../protocol/mod.ts';
import type { Outcome, RefusalCode } from './engine.ts';
import { RESPONSE_BYTES, responseTooLarge } from './errors.ts';
import type { LogTail } from './log-tail.ts';

export function answered(payload: Buffer): Outcome {
  if (payload.length <= RESPONSE_BYTES) return { kind: 'answered', payload };
  return { kind: 'functionError', error: responseTooLarge(RESPONSE_BYTES) };
}

/** `begun`: a part of a streamed answer is on its way, and can only break off. */
export function broken(error: FunctionError, begun: boolean): Outcome {
  return begun ? { kind: 'streamed', error } : { kind: 'functionError', error };
}

export function lost(code: RefusalCode, message: string, begun: boolean): Outcome {
  return begun ? { kind: 'streamed', error: { errorType: code, errorMessage: message } } : { kind: 'refused', code, message };
}

export function withTail(outcome: Outcome, tail: LogTail | undefined): Outcome {
  return !tail || outcome.kind === 'refused' ? outcome : { ...outcome, logTail: tail.text() };
}
