/**
 * A project as one file of JavaScript and its source map. ESM by default; packages written as CommonJS are bundled into it, and what they
 * `require` of Node at run time (which ESM does not have) is given to them by the banner.
 */
import { HearthError } from '../../kernel/mod.ts';
import type { BuildFailure, BuildOptions } from 'esbuild';
import type { PackageFile } from './zip.ts';
import type { Project } from './project.ts';

export type Bundle = { readonly files: readonly PackageFile[]; readonly handler: string; readonly warnings: readonly string[] };

/** Set on globalThis, so that no name in the bundle can collide with them. */
const ESM_BANNER = `import{createRequire as __hearthRequire}from"node:module";globalThis.require??=__hearthRequire(import.meta.url);globalThis.__filename??=import.meta.filename;globalThis.__dirname??=import.meta.dirname;`;

/** Throws HearthError `BuildFailed` with esbuild's own account of what is wrong where. */
export async function bundleProject(project: Project, entry: string): Promise<Bundle> {
  const esbuild = await import('esbuild');
  const extension = project.format === 'esm' ? 'mjs' : 'cjs';
  const options = {
    absWorkingDir: project.directory,
    entryPoints: { index: entry },
    outdir: '.hearth-bundle',
    outExtension: { '.js': `.${extension}` },
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node26',
    format: project.format,
    sourcemap: 'linked',
    external: [...project.external, ...project.fromLayers],
    logLevel: 'silent',
    ...(project.format === 'esm' && { banner: { js: ESM_BANNER } }),
  } as const satisfies BuildOptions;
  const result = await esbuild.build(options).catch(async (error: unknown) => {
    if (!isBuildFailure(error)) throw error;
    const lines = await esbuild.formatMessages(error.errors, { kind: 'error' });
    const native = error.errors.some((each) => each.text.includes('No loader is configured for ".node"'));
    const advice = native ? '\nIt has native code: name the package in "external" in hearth.json, and it is shipped as it is.' : '';
    throw new HearthError('BuildFailed', `${entry} cannot be bundled:\n${lines.join('').trimEnd()}${advice}`, { cause: error });
  });
  const files = result.outputFiles.map((file) => ({
    path: file.path.split(/[\\/]/).at(-1)!,
    content: Buffer.from(file.contents),
    mode: 0o644,
  }));
  const warnings = await esbuild.formatMessages(result.warnings, { kind: 'warning' });
  return { files, handler: `index.${project.handler}`, warnings: warnings.map((each) => each.trim()) };
}

const isBuildFailure = (error: unknown): error is BuildFailure =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors);
