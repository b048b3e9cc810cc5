import { open, rename, rm } from 'node:fs/promises';

/**
 * Writes a file so that it is either there whole or not at all, also after power loss: under a temporary name, fsynced, renamed,
 * and its directory fsynced. Directories above it that are new must be fsynced by the caller.
 */
export async function writeDurably(path: string, temporaryPath: string, directory: string, bytes: Uint8Array): Promise<void> {
  try {
    const file = await open(temporaryPath, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporaryPath, path);
  } catch (error) {
    await rm(temporaryPath, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

/** Makes names created in, or removed from, a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
