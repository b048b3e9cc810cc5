import { asHearthError } from '../../kernel/mod.ts';
import type { ErrorCode, HearthError } from '../../kernel/mod.ts';

/** An error as it goes over the wire. `body` is JSON. */
export type ErrorReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Shapes of the service model that spell it `Message`; the others have `message`. */
const CAPITAL_MESSAGE = new Set<ErrorCode>(['ResourceNotFoundException', 'ServiceException', 'InvalidZipFileException']);

/** Codes of our own, as the nearest one that Lambda has. The message keeps ours. */
const AS_LAMBDA: Partial<Record<ErrorCode, ErrorCode>> = {
  Internal: 'ServiceException',
  StoreFailed: 'ServiceException',
  BlobNotFound: 'ServiceException',
  BlobDamaged: 'ServiceException',
  ShuttingDown: 'ServiceException',
  SandboxFailed: 'ServiceException',
};

/** Any thrown value as Lambda would send it: status, `x-amzn-ErrorType`, and a body that SDKs parse into their typed errors. */
export function errorReply(thrown: unknown, extra: Readonly<Record<string, string>> = {}): ErrorReply {
  const error = asHearthError(thrown);
  const code = AS_LAMBDA[error.code] ?? error.code;
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', 'x-amzn-ErrorType': code },
    body: JSON.stringify({ ...extra, ...typeOf(code, error), [CAPITAL_MESSAGE.has(code) ? 'Message' : 'message']: messageOf(code, error) }),
  };
}

/** Faults found before the service itself looks at the request carry no Type. */
function typeOf(code: ErrorCode, error: HearthError): { Type?: string } {
  if (code === 'ValidationException' || code === 'SerializationException' || code === 'NotFound') return {};
  return { Type: error.status >= 500 ? 'Service' : 'User' };
}

/** What went wrong inside is for the platform's log, not for callers. */
function messageOf(code: ErrorCode, error: HearthError): string {
  return error.code === 'Internal' && code === 'ServiceException' ? 'Internal failure. The log of the platform says more.' : error.message;
}
