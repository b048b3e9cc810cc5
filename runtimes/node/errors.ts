/** Any thrown value as Lambda shows it to a caller. What is thrown is user code too (getters, proxies): nothing here may throw. */
import { isNativeError } from 'node:util/types';

export type FunctionError = { readonly errorType: string; readonly errorMessage: string; readonly stackTrace?: readonly string[] };

/** An error that the runtime itself reports, under its name in Lambda. */
export class RuntimeError extends Error {
  constructor(type: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = `Runtime.${type}`;
  }
}

/** What a snapshot hook threw, under the name that Lambda has for it; its place is that of what was thrown. */
export function hookError(type: 'BeforeSnapshotError' | 'AfterRestoreError', thrown: unknown): RuntimeError {
  const { errorType, errorMessage, stackTrace } = toFunctionError(thrown);
  const error = new RuntimeError(type, `${errorType}: ${errorMessage}`, { cause: thrown });
  error.stack = [`${error.name}: ${error.message}`, ...(stackTrace ?? [])].join('\n');
  return error;
}

const MAX_TYPE_LENGTH = 256;
const MAX_MESSAGE_LENGTH = 256 * 1024;
const MAX_STACK_LENGTH = 64 * 1024;
const UNREADABLE: FunctionError = {
  errorType: 'handled',
  errorMessage: 'An error was thrown, but its message, name or stack could not be read.',
};
const ownDirectory = import.meta.dirname;
const asText: (value: unknown) => string = String;

export function toFunctionError(thrown: unknown): FunctionError {
  try {
    // Lambda reports a rejection without a reason as the string 'handled'.
    if (thrown === undefined || thrown === null) return { errorType: 'string', errorMessage: 'handled', stackTrace: [] };
    const { name, message, stack } = looksLikeError(thrown);
    if (typeof name === 'string' && typeof message === 'string') {
      return {
        errorType: cut(name, MAX_TYPE_LENGTH),
        errorMessage: cut(message, MAX_MESSAGE_LENGTH),
        stackTrace: typeof stack === 'string' ? stackLines(stack) : [],
      };
    }
    // As text whatever it is: an object without a text of its own is '[object Object]' on Lambda too.
    return { errorType: typeof thrown, errorMessage: cut(asText(thrown), MAX_MESSAGE_LENGTH), stackTrace: [] };
  } catch {
    return UNREADABLE;
  }
}

/** The lines of a stack without the frames of the runtime itself. */
export function stackLines(stack: string): string[] {
  return cut(stack, MAX_STACK_LENGTH)
    .split('\n')
    .filter((line) => !(line.startsWith('    at ') && line.includes(ownDirectory)));
}

/** Name, message and stack, each read once; nothing when it is not an error, nor like one. */
function looksLikeError(thrown: unknown): { name?: unknown; message?: unknown; stack?: unknown } {
  if (typeof thrown !== 'object' && typeof thrown !== 'function') return {};
  const { name, message, stack } = thrown as { name?: unknown; message?: unknown; stack?: unknown };
  if (isNativeError(thrown)) return { name: typeof name === 'string' ? name : 'Error', message: String(message), stack };
  return name && message && typeof stack === 'string' && stack ? { name, message, stack } : {};
}

const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length)}... (cut)`);
