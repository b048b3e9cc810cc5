import { CATALOGUE } from './catalogue.ts';
import type { ErrorCode } from './catalogue.ts';

export { CATALOGUE };
export type { ErrorCode, ErrorEntry } from './catalogue.ts';

/**
 * An error with a code from the catalogue. `message` says what is wrong and what to do; `cause` keeps what lay beneath.
 * HTTP status, fault and whether a retry can help follow from the code.
 */
export class HearthError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'HearthError';
    this.code = code;
  }
  get status(): number {
    return CATALOGUE[this.code].status;
  }
  get retryable(): boolean {
    return CATALOGUE[this.code].retryable;
  }
}

/** Any thrown value as a HearthError; one without a code becomes `Internal` and keeps its cause. */
export function asHearthError(thrown: unknown): HearthError {
  if (thrown instanceof HearthError) return thrown;
  return new HearthError('Internal', `unexpected failure: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
}
