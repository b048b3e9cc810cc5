/** What requests carry besides their path. Throws HearthError for what can't be understood. */
import { HearthError } from '../../kernel/mod.ts';

export function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new HearthError('BadRequest', `${name}=${text}: give a whole number`);
  return Number(text);
}

export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (error) {
    throw new HearthError('InvalidRequestContentException', 'The body is not JSON.', { cause: error });
  }
}
