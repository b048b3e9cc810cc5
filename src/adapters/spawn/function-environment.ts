import { join } from 'node:path';
import type { SandboxSpec } from '../../ports/mod.ts';

/**
 * The function's environment where there is no /var/task and no /opt: paths that name them are replaced by where the code and the layers
 * really lie. Of two layers with the same path the later one comes first, as it would cover the other in /opt.
 */
export function functionEnvironment(spec: SandboxSpec, temporary: string): Record<string, string> {
  const environment: Record<string, string> = { TMPDIR: temporary, ...spec.environment, LAMBDA_TASK_ROOT: spec.codeDirectory };
  for (const name of PATHS) {
    const value = environment[name];
    if (value !== undefined)
      environment[name] = value
        .split(':')
        .flatMap((path) => pathsOf(path, spec))
        .join(':');
  }
  return environment;
}

const PATHS = ['PATH', 'NODE_PATH', 'PYTHONPATH', 'LD_LIBRARY_PATH'];

/** Where a path of a sandbox may be found without one. */
export function pathsOf(path: string, spec: SandboxSpec): string[] {
  if (path === '/opt' || path.startsWith('/opt/'))
    return spec.layerDirectories.toReversed().map((layer) => join(layer, path.slice('/opt'.length)));
  if (path === '/var/task' || path.startsWith('/var/task/')) return [join(spec.codeDirectory, path.slice('/var/task'.length))];
  return [path];
}
