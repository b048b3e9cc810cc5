import { lstatSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxSpec } from '../../ports/mod.ts';
import type { EnvironmentFacts } from './environment.ts';

const known = new WeakMap<SandboxSpec, Promise<readonly string[]>>();

/** The external extensions of a function: the names of what its layers, or its image, have in /opt/extensions, directories left out. */
export function externalExtensions(spec: SandboxSpec): Promise<readonly string[]> {
  let names = known.get(spec);
  if (!names) {
    names = find(spec.image ? imageLayers(spec.codeDirectory) : spec.layerDirectories);
    known.set(spec, names);
  }
  return names;
}

/** Nothing of an image is followed that may lead out of it. */
function imageLayers(root: string): readonly string[] {
  const isDirectory = (path: string) => lstatSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isDirectory('opt') && isDirectory('opt/extensions') ? [join(root, 'opt')] : [];
}

async function find(layers: readonly string[]): Promise<readonly string[]> {
  const files = new Map<string, Dirent>();
  // Of two with one name the later layer's is the one that is seen.
  for (const layer of layers) for (const entry of await entriesOf(join(layer, 'extensions'))) files.set(entry.name, entry);
  return [...files.values()]
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
}

async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    // Most layers have none.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

export function factsOf({ environment, handler, memoryMiB, concurrency, accountId }: SandboxSpec): EnvironmentFacts {
  return {
    functionName: environment['AWS_LAMBDA_FUNCTION_NAME'] ?? '',
    functionVersion: environment['AWS_LAMBDA_FUNCTION_VERSION'] ?? '$LATEST',
    handler,
    accountId: accountId ?? '',
    memoryMiB,
    concurrency,
    initializationType: environment['AWS_LAMBDA_INITIALIZATION_TYPE'] ?? 'on-demand',
    json: environment['AWS_LAMBDA_LOG_FORMAT'] === 'JSON',
  };
}
