/** A directory as a zip, as it is: for layers. */
import { lstat, readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError, LIMITS } from '../../kernel/mod.ts';
import { zipFiles } from './zip.ts';
import type { PackageFile } from './zip.ts';

/** Links stay links. Throws HearthError `BuildFailed`. */
export async function packDirectory(directory: string): Promise<Buffer> {
  const files: PackageFile[] = [];
  let bytes = 0;
  for await (const file of filesOf(directory, '')) {
    files.push(file);
    bytes += file.content.length;
    if (bytes >= LIMITS.unzippedBytes || files.length > LIMITS.zipEntries)
      throw new HearthError(
        'BuildFailed',
        `${directory} is too large: ${LIMITS.unzippedBytes} bytes in ${LIMITS.zipEntries} files are allowed`,
      );
  }
  if (files.length === 0) throw new HearthError('BuildFailed', `${directory} is empty`);
  const zip = await zipFiles(files);
  if (zip.length > LIMITS.zipBytes)
    throw new HearthError('BuildFailed', `${directory} has ${zip.length} bytes when zipped; ${LIMITS.zipBytes} can be uploaded`);
  return zip;
}

async function* filesOf(root: string, below: string): AsyncGenerator<PackageFile> {
  for (const name of (await readdir(join(root, below))).toSorted()) {
    const path = below === '' ? name : `${below}/${name}`;
    const full = join(root, path);
    const info = await lstat(full);
    if (info.isDirectory()) yield* filesOf(root, path);
    else if (info.isSymbolicLink()) yield { path, content: Buffer.from(await readlink(full)), mode: info.mode };
    else if (!info.isFile()) throw new HearthError('BuildFailed', `${full} is a device, a pipe or a socket`);
    // Refused before it is read.
    else if (info.size >= LIMITS.unzippedBytes) throw new HearthError('BuildFailed', `${full} is too large: it has ${info.size} bytes`);
    else yield { path, content: await readFile(full), mode: info.mode };
  }
}
