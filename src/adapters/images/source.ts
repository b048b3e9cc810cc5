import { statSync } from 'node:fs';
import { openArchive } from './archive.ts';
import { openDirectory } from './directory.ts';
import { invalid, notFound, quote } from './errors.ts';
import type { ImageFiles } from './files.ts';
import type { ImageLimits } from './limits.ts';

/** `workDirectory`: for an archive that must be decompressed before it can be read. */
export type Source = { readonly path: string; readonly workDirectory: string; readonly limits: ImageLimits };

/** Throws HearthError `ImageNotFound`, `ImageInvalid`, `ImageDamaged`, `ImageTooLarge`. */
export async function openSource({ path, workDirectory, limits }: Source): Promise<ImageFiles> {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) throw notFound(`there is nothing at ${quote(path)}`);
  if (status.isDirectory()) return openDirectory(path, limits);
  if (status.isFile()) return openArchive({ path, workDirectory, limits });
  throw invalid(`${quote(path)} is neither a file nor a directory`);
}
