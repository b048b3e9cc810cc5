import type { IncomingMessage } from 'node:http';
import { nestsTooDeep } from '../../protocol/mod.ts';
import type { FunctionError } from '../../protocol/mod.ts';
import { headerOf } from './reply.ts';

const ERROR_TYPE = 'lambda-runtime-function-error-type';
const TYPE_CHARACTERS = 256;
const UNKNOWN = 'Runtime.Unknown';

/** What a runtime says of a failed invocation or init: a header with the type, a body that the caller gets as it is where it is JSON. */
export function functionErrorOf(request: IncomingMessage, body: Buffer): FunctionError {
  return readError(body, headerOf(request, ERROR_TYPE));
}

/** What ends a streamed answer that breaks off: the same, in trailers, the body as base64. Undefined: it did not. */
export function trailerErrorOf({ trailers }: IncomingMessage): FunctionError | undefined {
  const type = trailers[ERROR_TYPE];
  const body = trailers['lambda-runtime-function-error-body'];
  if (type === undefined && body === undefined) return undefined;
  return readError(Buffer.from(body ?? '', 'base64'), type);
}

function readError(body: Buffer, type: string | undefined): FunctionError {
  const value = parse(body);
  const { errorType, errorMessage, stackTrace } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  return {
    errorType: typeof errorType === 'string' ? errorType : shortened(type),
    errorMessage: typeof errorMessage === 'string' ? errorMessage : '',
    ...(Array.isArray(stackTrace) && { stackTrace: stackTrace.filter((line) => typeof line === 'string') }),
    ...(value !== undefined && { body: body.toString() }),
  };
}

const shortened = (type: string | undefined): string =>
  type === undefined || type === '' ? UNKNOWN : type.slice(0, TYPE_CHARACTERS).replaceAll(/[^\x21-\x7e]/g, ' ');

function parse(body: Buffer): unknown {
  if (body.length === 0 || nestsTooDeep(body)) return undefined;
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}
