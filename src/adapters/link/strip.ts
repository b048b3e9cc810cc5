/** TypeScript to JavaScript by blanking types out, remembered beside Node's compile cache: the stripper alone takes longer than a start may. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { getCompileCacheDir, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';

/** Lines and columns stay. Without a compile cache it strips each time. */
export async function stripTypes(text: string): Promise<string> {
  const cache = getCompileCacheDir();
  if (cache === undefined) return stripQuietly(text);
  const directory = join(cache, 'stripped');
  const path = join(directory, `${sha256(text)}.js`);
  const cached = await readCached(path);
  if (cached !== undefined) return cached;
  const stripped = stripQuietly(text);
  await writeCached(directory, path, stripped);
  return stripped;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The first line is the hash of what follows: a file that a power cut has torn is none. */
async function readCached(path: string): Promise<string | undefined> {
  const whole = await readFile(path, 'utf8').catch(() => undefined);
  const end = whole?.indexOf('\n') ?? -1;
  if (whole === undefined || end === -1) return undefined;
  const text = whole.slice(end + 1);
  return whole.slice(0, end) === sha256(text) ? text : undefined;
}

/** A cache that cannot be written only costs time at the next start. */
async function writeCached(directory: string, path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(temporary, `${sha256(text)}\n${text}`);
    await rename(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/** Node marks the stripper experimental with a warning on every process; the version is pinned, so it says nothing to our users. */
function stripQuietly(text: string): string {
  const emitWarning = Object.getOwnPropertyDescriptor(process, 'emitWarning')!;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    Object.defineProperty(process, 'emitWarning', emitWarning);
  }
}
