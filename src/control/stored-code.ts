/** How an uploaded package, of a function or a layer, comes to be stored and unpacked. */
import { HearthError, LIMITS } from '../kernel/mod.ts';
import type { Functions } from './functions.ts';
import { invalid } from './invalid.ts';
import type { CodeRecord } from './records.ts';

export type HeldCode = { readonly zip: Uint8Array; readonly sha256: string; storing: Promise<unknown> | undefined };
export type AddedCode = { readonly record: CodeRecord; readonly directory: string; readonly storing: Promise<unknown> };

/** From before the package is stored until a version refers to it, nobody may remove it; without such a version it goes again. */
export async function holdingCode<R>(functions: Functions, zip: Uint8Array, run: (held: HeldCode) => Promise<R>): Promise<R> {
  const digest = await crypto.subtle.digest('SHA-256', zip as Uint8Array<ArrayBuffer>);
  const held: HeldCode = { zip, sha256: Buffer.from(digest).toString('hex'), storing: undefined };
  const release = functions.holdCode(held.sha256);
  try {
    return await run(held);
  } finally {
    // Whatever else has failed: what is still being stored can be removed only then.
    await Promise.allSettled([held.storing]);
    await release();
  }
}

/** Unpacks a package, which `holdingCode` holds, and stores it meanwhile. Throws `InvalidParameterValueException`, `CodeStorageExceededException`. */
export async function addCode(functions: Functions, held: HeldCode): Promise<AddedCode> {
  const { zip, sha256 } = held;
  if (zip.length > LIMITS.zipBytes) throw invalid(`The deployment package is larger than ${LIMITS.zipBytes} bytes. Make it smaller.`);
  if (storedBytes(functions) + zip.length > LIMITS.codeStorageBytes)
    throw new HearthError(
      'CodeStorageExceededException',
      'Code storage limit exceeded. Delete functions, or versions of functions and layers, that are not needed.',
    );
  const storing = functions.blobs.put(zip);
  held.storing = storing;
  // Heard where it is awaited; unpacking may fail before.
  storing.catch(() => undefined);
  const { directory } = await functions.code.unpack(sha256, zip);
  return { record: { sha256, bytes: zip.length }, directory, storing };
}

/**
 * What all versions of all functions and layers take, as Lambda counts it. A layer version counts once, and when it is deleted for as long
 * as functions have it.
 */
export function storedBytes(functions: Functions): number {
  let total = 0;
  const layers = new Map<string, number>();
  for (const { arn, record } of functions.layers.versions()) layers.set(arn, record.code.bytes);
  for (const entry of functions.table.byName.values()) {
    for (const { record } of entry.versions.values()) {
      total += record.code.bytes;
      for (const { arn, bytes } of record.settings.layers ?? []) layers.set(arn, bytes);
    }
  }
  return layers.values().reduce((sum, bytes) => sum + bytes, total);
}
