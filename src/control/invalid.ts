import { HearthError } from '../kernel/mod.ts';

/** The error for a value that a request must not have. */
export function invalid(message: string): HearthError {
  return new HearthError('InvalidParameterValueException', message);
}
