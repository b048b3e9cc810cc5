import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripTypes } from './strip.ts';

/**
 * Writes a runtime's files as plain JavaScript into a directory of their own below `directory`, named by the hash of their content,
 * and returns its path. `x.ts` becomes `x.mjs`, `x.cts` becomes `x.cjs`; types are blanked out in place, so line and column stay.
 * A sandbox that loads these never loads the TypeScript stripper. Callable any number of times and by several processes at once.
 */
export async function materialiseRuntime(options: { readonly name: 'node'; readonly directory: string }): Promise<string> {
  const files = await convert(sourceDirectory(options.name));
  const hash = createHash('sha256');
  for (const [name, text] of files) hash.update(`${name}\0${text.length}\0${text}`);
  const target = join(options.directory, `${options.name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(target)) return target;
  await mkdir(options.directory, { recursive: true });
  const fresh = await mkdtemp(join(options.directory, '.runtime-'));
  for (const [name, text] of files) await writeFile(join(fresh, name), text, { mode: 0o644 });
  // mkdtemp makes a directory for its owner only; the sandboxes' own users read this one.
  await chmod(fresh, 0o755);
  await rename(fresh, target).catch(async (error: NodeJS.ErrnoException) => {
    await rm(fresh, { recursive: true, force: true });
    // Another process was first; its files are the same, the name says so.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  return target;
}

/** The sources in the repository, or what `tsc` made of them in the published package: the same path relative to this file. */
function sourceDirectory(name: string): string {
  return fileURLToPath(new URL(`../../../runtimes/${name}/`, import.meta.url));
}

async function convert(source: string): Promise<readonly (readonly [string, string])[]> {
  const names = (await readdir(source)).filter(
    (name) => /\.([cm]?ts|[cm]?js)$/.test(name) && !/\.(test\.[cm]?[tj]s|d\.[cm]?ts)$/.test(name),
  );
  return Promise.all(
    names.toSorted().map(async (name) => {
      const text = await readFile(join(source, name), 'utf8');
      return [materialisedName(name), rewriteSpecifiers(/ts$/.test(name) ? await stripTypes(text) : text)] as const;
    }),
  );
}

const materialisedName = (name: string): string => name.replace(/\.cts$/, '.cjs').replace(/\.(ts|mts|js)$/, '.mjs');

/** Relative specifiers of files beside: './x.ts' in import, export and dynamic import. */
const rewriteSpecifiers = (text: string): string =>
  text.replaceAll(
    /(['"])(\.\/[\w.-]+?\.(?:[cm]?ts|js))\1/g,
    (_, quote: string, path: string) => `${quote}${materialisedName(path)}${quote}`,
  );
