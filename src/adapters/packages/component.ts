/**
 * Components of WebAssembly, which V8 doesn't know: jco translates one to core modules and the code that joins them, once, when it is uploaded.
 * A component is anybody's, and the translator large. So it runs in a process of its own that may read the translator and nothing else, with
 * limits of time, memory and output; the code that comes out is only ever run in the function's sandbox.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdir, open, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HearthError } from '../../kernel/mod.ts';

const MODULES = ['module.wasm', 'main.wasm'] as const;
/** Behind the component's name. The runtime knows it too. */
const TRANSLATED = '.translated';
const HEAD = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
const MiB = 1024 * 1024;
const MAX_COMPONENT_BYTES = 64 * MiB;
const MAX_OUTPUT_BYTES = 128 * MiB;
const MAX_TRANSLATION_MS = 60_000;
const MAX_HEAP_MIB = 512;
const MAX_DATA_KIB = 2 * 1024 * 1024;
/** What a function can be called by. */
const EXPORTS = ['incomingHandler', 'run'];

const script = (name: string): Promise<string> =>
  realpath(fileURLToPath(new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)));

/** In place of what a component could not be translated to: why. */
const REFUSED = 'refused';

/**
 * Translates the components that lie in an unpacked package under the names of modules. `alone`: the package is nothing else, and one that can't be
 * translated is refused. In a zip, which may be of another runtime, the reason is kept for whoever loads it. Throws HearthError
 * `InvalidParameterValueException`; then a directory may be left there.
 */
export async function translateComponents(directory: string, alone: boolean): Promise<void> {
  for (const name of MODULES) {
    const target = join(directory, `${name}${TRANSLATED}`);
    if (await stat(target).catch(ignoreMissing))
      throw refused(`the package has a ${name}${TRANSLATED}, a name that is kept for what the platform makes`);
    const head = await headOf(join(directory, name)).catch(ignoreMissing);
    if (!head?.equals(HEAD)) continue;
    const files = await translate(await readFile(join(directory, name))).catch((error: unknown): Files => {
      if (alone || !(error instanceof HearthError)) throw error;
      return [[REFUSED, Buffer.from(error.message)]];
    });
    await mkdir(target);
    // By chmod: the umask would take the bits of the sandbox's user.
    await chmod(target, 0o755);
    for (const [file, bytes] of files) {
      await writeFile(join(target, file), bytes);
      await chmod(join(target, file), 0o644);
    }
  }
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD.length), 0, HEAD.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

type Files = readonly (readonly [name: string, bytes: Uint8Array])[];

/** One at a time: each may take much memory. */
let last: Promise<unknown> = Promise.resolve();

export function translate(component: Uint8Array): Promise<Files> {
  const next = last.then(() => translateNow(component));
  last = next.catch(() => undefined);
  return next;
}

async function translateNow(component: Uint8Array): Promise<Files> {
  if (component.length > MAX_COMPONENT_BYTES) throw refused(`it has ${component.length} bytes; ${MAX_COMPONENT_BYTES} is the most`);
  const output = await runTranslator(component);
  const end = output.indexOf('\n');
  const head = JSON.parse(output.toString('utf8', 0, end)) as Head;
  if ('wrong' in head) throw refused(head.wrong.slice(0, 500));
  if (!head.exports.some((name) => EXPORTS.includes(name)))
    throw refused(
      `it exports neither wasi:http/incoming-handler nor wasi:cli/run of WASI 0.2, but ${head.exports.slice(0, 5).join(', ') || 'nothing'}`,
    );
  let at = end + 1;
  return head.files.flatMap(({ name, bytes }) => {
    const content = output.subarray(at, (at += bytes));
    // What belongs there, and no names that lead elsewhere.
    return /^component(?:\.core\d*)?\.(?:js|wasm)$/.test(name) ? [[name, content] as const] : [];
  });
}

type Head =
  | { readonly wrong: string }
  | { readonly exports: readonly string[]; readonly files: readonly { readonly name: string; readonly bytes: number }[] };

async function runTranslator(component: Uint8Array): Promise<Buffer> {
  const translator = await pathOfTranslator();
  const [child, shim] = await Promise.all([script('component-child'), script('component-shim')]);
  const flags = [
    '--permission',
    `--allow-fs-read=${child}`,
    `--allow-fs-read=${shim}`,
    `--allow-fs-read=${dirname(translator)}/*`,
    `--max-old-space-size=${MAX_HEAP_MIB}`,
    '--no-warnings',
  ];
  // The memory of the translator, which is WebAssembly itself, is not on V8's heap: the system bounds it.
  const limited = ['-c', `ulimit -d ${MAX_DATA_KIB} && exec "$@"`, 'sh', process.execPath, ...flags, child, translator, shim];
  const running = spawn('/bin/sh', limited, { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = Promise.withResolvers<string | undefined>();
  const parts: Buffer[] = [];
  let length = 0;
  const stop = (why: string): void => {
    ended.resolve(why);
    running.kill('SIGKILL');
  };
  const limit = setTimeout(() => stop(`it took longer than ${MAX_TRANSLATION_MS / 1000} s to translate`), MAX_TRANSLATION_MS);
  running.stdout.on('data', (part: Buffer) => {
    length += part.length;
    if (length > MAX_OUTPUT_BYTES) stop(`it becomes more than ${MAX_OUTPUT_BYTES} bytes when it is translated`);
    else parts.push(part);
  });
  // A child that has ended takes no more; its end says why.
  running.stdin.on('error', () => undefined);
  running.once('error', (error) => ended.resolve(`its translator does not start: ${error.message}`));
  running.once('close', (code, signal) => ended.resolve(code === 0 ? undefined : `its translator ended with ${signal ?? `code ${code}`}`));
  running.stdin.end(component);
  try {
    const wrong = await ended.promise;
    if (wrong !== undefined) throw refused(wrong);
    return Buffer.concat(parts);
  } finally {
    clearTimeout(limit);
  }
}

/** An optional dependency: where it was left out, components are refused. */
async function pathOfTranslator(): Promise<string> {
  try {
    return await realpath(fileURLToPath(import.meta.resolve('@bytecodealliance/jco-transpile/component')));
  } catch (error) {
    throw refused('its translator, the npm package @bytecodealliance/jco-transpile, is not installed with this platform', error);
  }
}

const refused = (what: string, cause?: unknown): HearthError =>
  new HearthError(
    'InvalidParameterValueException',
    `The WebAssembly component cannot be translated: ${what}`,
    cause === undefined ? undefined : { cause },
  );

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'EISDIR') return undefined;
  throw error;
}
