import { createHash } from 'node:crypto';
import { damaged, invalid, quote } from './errors.ts';

/** As OCI writes it: the algorithm, a colon, lower-case hexadecimal. */
export type Digest = `${Algorithm}:${string}`;
export type Algorithm = 'sha256' | 'sha512';

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

export const isDigest = (text: string): text is Digest => DIGEST.test(text);

/** Throws HearthError `ImageInvalid`. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw invalid(`${quote(text)} is no sha256 or sha512 digest`);
  return text;
}

export const algorithmOf = (digest: Digest): Algorithm => (digest.startsWith('sha512:') ? 'sha512' : 'sha256');

/** A digest as the name of a file. */
export const nameOf = (digest: Digest): string => digest.replace(':', '-');

export function digestOf(bytes: Uint8Array, algorithm: Algorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** Throws HearthError `ImageDamaged`. */
export function checkDigest(bytes: Uint8Array, digest: Digest, what: string): void {
  const actual = digestOf(bytes, algorithmOf(digest));
  if (actual !== digest) throw damaged(`${what} has the digest ${actual}, not ${digest}`);
}
