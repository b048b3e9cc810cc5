/**
 * Packages that a bundle loads at run time, and everything they depend on, laid out as a `node_modules` that Node resolves to the very
 * same versions: a package goes to the top unless another version of it is there already; then it goes below the one that wants it.
 * Optional dependencies come along when they are installed, which is how packages with native code ship it per platform.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { HearthError } from '../../kernel/mod.ts';
import type { PackageFile } from './zip.ts';

/** Throws HearthError `BuildFailed` when one is not installed. */
export async function collectExternals(names: readonly string[], directory: string): Promise<readonly PackageFile[]> {
  const placed = new Map<string, string>();
  for (const name of names) await place(name, directory, '', placed, true);
  const files: PackageFile[] = [];
  for (const [path, source] of placed) for await (const file of filesOf(source, source, path)) files.push(file);
  return files;
}

type Manifest = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
};

/** `from`: the directory that wants the package; `parent`: where that is placed, '' for the bundle. */
async function place(name: string, from: string, parent: string, placed: Map<string, string>, required: boolean): Promise<void> {
  const source = await findPackage(name, from);
  if (source === undefined) {
    if (!required) return;
    throw new HearthError(
      'BuildFailed',
      `the external package ${name} is not installed: run "npm install ${name}" in the project, or take it out of "external"`,
    );
  }
  if (visible(name, parent, placed) === source) return;
  const top = `node_modules/${name}`;
  const path = placed.has(top) ? `${parent}/node_modules/${name}` : top;
  placed.set(path, source);
  const manifest = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as Manifest;
  const optional = { ...manifest.optionalDependencies, ...manifest.peerDependencies };
  for (const dependency of Object.keys({ ...manifest.dependencies, ...optional })) {
    await place(dependency, source, path, placed, !(dependency in optional));
  }
}

/** The source of the package that Node will find under this name from `parent`. */
function visible(name: string, parent: string, placed: ReadonlyMap<string, string>): string | undefined {
  for (let at = parent; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const found = placed.get(at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`);
    if (found !== undefined || at === '') return found;
  }
}

/** As Node looks for it: in the node_modules of the directory and of those above it. Links are followed, so that pnpm's layout works. */
async function findPackage(name: string, from: string): Promise<string | undefined> {
  for (let at = from; ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name);
    const found = await stat(join(candidate, 'package.json')).then(
      () => true,
      () => false,
    );
    if (found) return realpath(candidate);
    if (dirname(at) === at) return undefined;
  }
}

async function* filesOf(root: string, directory: string, path: string): AsyncGenerator<PackageFile> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const full = join(directory, entry.name);
    // Its own node_modules are dependencies, which have been placed by themselves.
    if (entry.name === 'node_modules' || entry.name === '.git') continue;
    const info = await stat(full);
    if (info.isDirectory()) yield* filesOf(root, full, path);
    else if (info.isFile())
      yield { path: `${path}/${relative(root, full).split(sep).join('/')}`, content: await readFile(full), mode: info.mode };
  }
}
