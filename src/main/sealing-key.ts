/**
 * The file with the key that secrets in the store are sealed with: 32 bytes as they are, or lines of base64, a key each. The first one
 * seals; the others, former ones, only open. By default it lies beside the database; operators may keep it elsewhere.
 */
import { open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HearthError } from '../kernel/mod.ts';
import { SEALING_KEY_BYTES } from '../protocol/mod.ts';

const MAX_KEYS = 16;

export const sealingKeyFile = (dataDirectory: string, elsewhere?: string): string => elsewhere ?? join(dataDirectory, 'sealing.key');

/** Undefined: there is no such file. Throws `SealingKeyUnusable`. */
export async function readSealingKeys(path: string): Promise<readonly Uint8Array[] | undefined> {
  const found = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw new HearthError('SealingKeyUnusable', `the key file ${path} cannot be read: ${cause.message}.`, { cause });
  });
  if (!found) return undefined;
  if (found.length === SEALING_KEY_BYTES) return [found];
  const lines = found
    .toString('latin1')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length === 0 || lines.length > MAX_KEYS || !lines.every((line) => KEY_LINE.test(line)))
    throw new HearthError(
      'SealingKeyUnusable',
      `the key file ${path} is damaged: it has neither ${SEALING_KEY_BYTES} bytes, nor lines of ${SEALING_KEY_BYTES} bytes in base64. Restore it from where the data came from.`,
    );
  return lines.map((line) => Buffer.from(line, 'base64'));
}

/** 32 bytes in base64. */
const KEY_LINE = /^[A-Za-z0-9+/]{43}=$/;

/** Whole or not at all, and on disk before anything is sealed with it; for its owner only. Throws `SealingKeyUnusable`. */
export async function writeSealingKeys(path: string, keys: readonly Uint8Array[]): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const temporary = `${target}.new`;
  try {
    await rm(temporary, { force: true });
    {
      await using file = await open(temporary, 'wx', 0o600);
      await file.writeFile(keys.map((key) => `${Buffer.from(key).toString('base64')}\n`).join(''));
      await file.sync();
    }
    await rename(temporary, target);
    await using parent = await open(dirname(target), 'r');
    await parent.sync();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HearthError('SealingKeyUnusable', `the key file ${path} cannot be written: ${why}.`, { cause });
  }
}
