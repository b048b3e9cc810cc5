import type { Random } from './random.ts';

const LOWER_ALPHANUMERIC = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** An id of lower-case letters and digits, as the first label of a function URL has (32 characters there). */
export function lowerAlphanumericId(random: Random, length: number): string {
  let id = '';
  while (id.length < length) {
    for (const byte of random.bytes(length)) {
      // 252 = 7 * 36: bytes above it would favour the first letters.
      if (byte < 252 && id.length < length) id += LOWER_ALPHANUMERIC[byte % 36];
    }
  }
  return id;
}
