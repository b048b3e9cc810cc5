/** A file of JSON in the directory of all images that is only ever replaced as a whole, and is on disk before anybody goes on. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';

/** Undefined: it was never written. `without`: how it is when it is removed, which is the remedy. Throws HearthError `StoreFailed`. */
export function readReplaced(directory: string, file: string, without: string): unknown {
  const path = join(directory, file);
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (cause) {
    throw new HearthError('StoreFailed', `${path} can't be read: ${String(cause)}. Remove it: ${without}`, { cause });
  }
}

export function replaceFile(directory: string, file: string, value: unknown): void {
  const fresh = join(directory, `.new-${file}`);
  writeFileSync(fresh, JSON.stringify(value), { flush: true });
  renameSync(fresh, join(directory, file));
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
