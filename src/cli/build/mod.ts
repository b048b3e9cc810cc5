import { glob, readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { bundleProject } from './bundle.ts';
import { runBuildCommand } from './command.ts';
import { collectExternals } from './externals.ts';
import type { Project } from './project.ts';
import { zipFiles } from './zip.ts';
import type { PackageFile } from './zip.ts';

export { packDirectory } from './directory.ts';
export { imageProject, readProject } from './project.ts';
export type { Project, ProjectImage } from './project.ts';
export { scalingOptions, scheduleTags } from './project-scaling.ts';
export { runBuildCommand } from './command.ts';

export type Built = { readonly zip: Buffer; readonly handler: string; readonly warnings: readonly string[] };

/** The deployment package of a project. Throws HearthError `BuildFailed`. */
export async function buildProject(project: Project): Promise<Built> {
  await runBuildCommand(project);
  const [bundle, externals, included] = await Promise.all([
    project.entry === undefined ? { files: [], handler: project.handler, warnings: [] } : bundleProject(project, project.entry),
    collectExternals(project.external, project.directory),
    includedFiles(project),
  ]);
  const zip = await zipFiles(refuseDoubles([...bundle.files, ...externals, ...included]));
  if (zip.length > LIMITS.zipBytes) {
    throw new HearthError(
      'BuildFailed',
      `the package has ${zip.length} bytes; ${LIMITS.zipBytes} can be uploaded. See what "external" and "include" bring along`,
    );
  }
  return { zip, handler: bundle.handler, warnings: bundle.warnings };
}

async function includedFiles(project: Project): Promise<readonly PackageFile[]> {
  const files = new Map<string, PackageFile>();
  for (const pattern of project.include) {
    let found = 0;
    for await (const path of glob(pattern, { cwd: project.directory })) {
      const name = path.split(sep).join('/');
      if (isAbsolute(path) || name.split('/').includes('..')) {
        throw new HearthError('BuildFailed', `"include" reaches outside of the project: ${path}`);
      }
      const full = join(project.directory, path);
      const info = await stat(full).catch(() => undefined);
      if (!info) throw new HearthError('BuildFailed', `"include" names ${path}, which can't be read, or is a link that leads nowhere`);
      if (!info.isFile()) continue;
      found++;
      files.set(full, { path: name, content: await readFile(full), mode: info.mode });
    }
    if (found === 0) throw new HearthError('BuildFailed', `"include" names ${JSON.stringify(pattern)}, but no file matches it`);
  }
  return [...files.values()];
}

function refuseDoubles(files: readonly PackageFile[]): readonly PackageFile[] {
  const paths = new Set<string>();
  for (const { path } of files) {
    if (paths.has(path)) throw new HearthError('BuildFailed', `two files would be shipped as ${path}; see "include" in hearth.json`);
    paths.add(path);
  }
  return files;
}
