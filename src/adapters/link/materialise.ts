import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { getCompileCacheDir, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `name`: with its folder. */
type Source = { readonly name: string; readonly text: string };

/** A runtime's own folder, and those of others that it loads code from. */
export type RuntimeFolders = { readonly name: string; readonly carries: readonly string[] };

/** What runtimes share. */
const SHARED = 'ladder';

/**
 * Writes the files of `runtimes/NAME`, of those that it carries and of what runtimes share, as plain JavaScript into a directory of their own, named by the hash of the
 * sources, and returns where in it those of the runtime are: beside Node's compile cache, where later starts find it, or else below `directory`.
 * `x.ts` becomes `x.mjs`, `x.cts` becomes `x.cjs`, other languages stay what they are; types are blanked out in place, so line and column stay. A sandbox that loads these never
 * loads the TypeScript stripper. Callable any number of times and by several processes at once.
 */
export async function materialiseRuntime(options: { readonly runtime: RuntimeFolders; readonly directory: string }): Promise<string> {
  const { runtime, directory } = options;
  const lasting = await lastingRuntime(runtime);
  return lasting ?? (await write(runtime, readSources(runtime), directory));
}

/** The same without a directory to fall back on: undefined where there is no compile cache, or none that can be written. */
export async function lastingRuntime(runtime: RuntimeFolders): Promise<string | undefined> {
  const cache = getCompileCacheDir();
  if (cache === undefined) return undefined;
  const sources = readSources(runtime);
  try {
    return await write(runtime, sources, join(cache, 'runtimes'));
  } catch (error) {
    // A cache that cannot be written only costs time.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}

/** At once, a platform that starts has nothing else to do. In the repository or, compiled by `tsc`, in the published package: the same relative path. */
function readSources(runtime: RuntimeFolders): readonly Source[] {
  return foldersOf(runtime).flatMap((folder) => {
    const directory = fileURLToPath(new URL(`../../../runtimes/${folder}/`, import.meta.url));
    return readdirSync(directory)
      .filter((file) => /\.([cm]?ts|[cm]?js|py)$/.test(file) && !/\.(test\.[cm]?[tj]s|d\.[cm]?ts)$/.test(file))
      .toSorted()
      .map((file) => ({ name: `${folder}/${file}`, text: readFileSync(join(directory, file), 'utf8') }));
  });
}

const foldersOf = ({ name, carries }: RuntimeFolders): readonly string[] => [SHARED, name, ...carries];

async function write(runtime: RuntimeFolders, sources: readonly Source[], directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, text } of sources) hash.update(`${name}\0${text.length}\0${text}`);
  const target = join(directory, `${runtime.name}-${hash.digest('hex').slice(0, 16)}`);
  const own = join(target, runtime.name);
  if (existsSync(target)) return own;
  await mkdir(directory, { recursive: true });
  const fresh = await mkdtemp(join(directory, '.runtime-'));
  try {
    for (const folder of foldersOf(runtime)) await mkdir(join(fresh, folder), { mode: 0o755 });
    for (const source of sources) await writeWhole(join(fresh, materialisedName(source.name)), convert(source));
    // mkdtemp makes a directory for its owner only; the sandboxes' own users read this one.
    await chmod(fresh, 0o755);
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    // Another process was first; its files are the same, the name says so.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  return own;
}

/** On the disk before the directory has its name: after a power cut there is a runtime or none. */
async function writeWhole(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o644);
  await file.writeFile(text);
  await file.datasync();
}

const convert = ({ name, text }: Source): string =>
  name.endsWith('.py') ? text : rewriteSpecifiers(/ts$/.test(name) ? stripQuietly(text) : text);

const materialisedName = (name: string): string => name.replace(/\.cts$/, '.cjs').replace(/\.(ts|mts|js)$/, '.mjs');

/** Relative specifiers, './x.ts' or '../ladder/x.ts', in import, export and dynamic import. */
const rewriteSpecifiers = (text: string): string =>
  text.replaceAll(
    /(['"])(\.{1,2}\/[\w./-]+?\.(?:[cm]?ts|js))\1/g,
    (_, quote: string, path: string) => `${quote}${materialisedName(path)}${quote}`,
  );

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
