/** What becomes of what a module has answered. */
import { ModuleError } from './errors.ts';

/** Lambda's limit of 6 MB and the 100 bytes it grants on top. */
export const MAX_RESPONSE_BYTES = 6_291_556;
export const tooLarge = (): ModuleError =>
  new ModuleError(
    'Function.ResponseSizeTooLarge',
    `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
    '',
  );

const NULL = Buffer.from('null');
const MOST_SHOWN = 80;

/** An answer is JSON, as that of every function; nothing is null. */
export function checked(answer: Uint8Array): Uint8Array {
  if (answer.length === 0) return NULL;
  const text = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength).toString('utf8');
  try {
    JSON.parse(text);
    return answer;
  } catch (error) {
    const shown = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}...` : text;
    throw new ModuleError('Wasm.InvalidAnswer', `The module's answer is no JSON: ${JSON.stringify(shown)}`, '', { cause: error });
  }
}
