/**
 * Modules that are uploaded as they are, without a zip around them: WebAssembly's binary format, or its text format, which becomes binary here.
 * The text is converted on a thread of its own, which has a limit of time: it is anybody's.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HearthError } from '../../kernel/mod.ts';

/** Names under which a package's module is found without being named. */
const MODULES = ['module', 'main'] as const;
const BARE = 'module.wasm';
const MAX_TEXT_BYTES = 1024 * 1024;
const MAX_CONVERSION_MS = 10_000;
const MAX_HEAP_MIB = 256;

/** Writes a bare module into the directory, and says how large it is; undefined: it is none. Throws HearthError `InvalidParameterValueException` for a text that is wrong. */
export async function unpackModule(bytes: Uint8Array, directory: string): Promise<{ readonly bytes: number } | undefined> {
  const kind = kindOf(bytes);
  if (kind === undefined) return undefined;
  const module = kind === 'binary' ? bytes : await convertWat(bytes);
  await writeFile(join(directory, BARE), module, { mode: 0o644 });
  return { bytes: module.length };
}

/** Converts the text of a module that lies in an unpacked zip where no binary of its name does. */
export async function convertTexts(directory: string): Promise<void> {
  for (const name of MODULES) {
    const text = await readFile(join(directory, `${name}.wat`)).catch(ignoreMissing);
    if (!text) continue;
    const binary = await convertWat(text);
    await writeFile(join(directory, `${name}.wasm`), binary, { mode: 0o644, flag: 'wx' }).catch(ignorePresent);
  }
}

/** How large a bare module is, as far as that can be seen without converting it; undefined: it is none. */
export const measureModule = (bytes: Uint8Array): { readonly bytes: number } | undefined =>
  kindOf(bytes) === undefined ? undefined : { bytes: bytes.length };

function kindOf(bytes: Uint8Array): 'binary' | 'text' | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 4096)).toString('latin1');
  if (head.startsWith('\0asm')) return 'binary';
  return /^(?:\s|;;[^\n]*\n|\(;(?:[^;]|;(?!\)))*;\))*\((?:module|component)\b/.test(head) ? 'text' : undefined;
}

const WORKER_SCRIPT = new URL(import.meta.url.endsWith('.ts') ? './wat-worker.ts' : './wat-worker.js', import.meta.url);

type Answer = { readonly binary: Uint8Array } | { readonly wrong: string };

/** Of the text format. Throws HearthError `InvalidParameterValueException`. */
export async function convertWat(text: Uint8Array): Promise<Uint8Array> {
  if (text.length > MAX_TEXT_BYTES)
    throw wrong(`it has ${text.length} bytes; ${MAX_TEXT_BYTES} is the most. Convert it before you upload it, with wat2wasm`);
  const worker = new Worker(WORKER_SCRIPT, {
    workerData: Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8'),
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
    execArgv: [],
    name: 'hearth-wat',
  });
  const answered = Promise.withResolvers<Answer>();
  const limit = setTimeout(
    () => answered.resolve({ wrong: `it took longer than ${MAX_CONVERSION_MS / 1000} s to read` }),
    MAX_CONVERSION_MS,
  );
  worker.once('message', answered.resolve);
  worker.once('error', (error: Error) => answered.resolve({ wrong: error.message }));
  worker.once('exit', () => answered.resolve({ wrong: 'its reader has ended' }));
  try {
    const answer = await answered.promise;
    if ('wrong' in answer) throw wrong(answer.wrong);
    return answer.binary;
  } finally {
    clearTimeout(limit);
    await worker.terminate();
  }
}

const wrong = (what: string): HearthError =>
  new HearthError('InvalidParameterValueException', `The text of the WebAssembly module cannot be converted: ${what}`);

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'EISDIR') return undefined;
  throw error;
}

/** The package brings its own. */
function ignorePresent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
