/**
 * What a runtime has compiled for a function version, in a file. It comes from a process of the function, so it goes back into sandboxes of the
 * same version only, and nothing here looks into it.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Log } from '../../kernel/mod.ts';

const MAX_BYTES = 8 * 1024 * 1024;
/** Of one package: each change of a function's settings makes another version. */
const MAX_FILES = 8;

/** A descriptor to give away; undefined: there is none that can be used. */
export function openCompileCache(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    // Not made yet, or removed: init compiles.
    return undefined;
  }
  const { size } = fstatSync(fd);
  if (size > 0 && size <= MAX_BYTES) return fd;
  closeSync(fd);
  return undefined;
}

/** Whole or not at all, in the background. The bytes are copied at once. What cannot be stored is compiled again. */
export function storeCompileCache(path: string, bytes: Uint8Array, log: Log): void {
  if (bytes.length > MAX_BYTES) return;
  store(path, Buffer.from(bytes)).catch((error: unknown) => log.warn({ error }, 'a compile cache could not be stored'));
}

async function store(path: string, bytes: Buffer): Promise<void> {
  const directory = dirname(path);
  const fresh = join(directory, `.new-${basename(path)}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(fresh, bytes, { mode: 0o600 });
  await rename(fresh, path);
  const others = (await readdir(directory)).filter((name) => name !== basename(path));
  if (others.length < MAX_FILES) return;
  const times = await Promise.all(others.map(async (name) => ({ name, ms: (await stat(join(directory, name))).mtimeMs })));
  for (const { name } of times.toSorted((a, b) => a.ms - b.ms).slice(0, others.length - MAX_FILES + 1))
    await rm(join(directory, name), { force: true });
}
