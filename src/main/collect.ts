import type { Blobs } from '../ports/mod.ts';

export type CollectOptions = {
  readonly blobs: Blobs;
  readonly packages: { delete(sha256: string): Promise<void> };
  /** The hashes that some function version refers to. */
  readonly inUse: ReadonlySet<string>;
};

/**
 * Removes the packages of functions that were deleted or changed. Only while nothing can be deployed and nothing runs: an upload stores its
 * package before the function that refers to it. Resolves with how many there were.
 */
export async function collectCode({ blobs, packages, inUse }: CollectOptions): Promise<number> {
  let removed = 0;
  for await (const sha256 of blobs.list()) {
    if (inUse.has(sha256)) continue;
    await packages.delete(sha256);
    await blobs.delete(sha256);
    removed += 1;
  }
  return removed;
}
