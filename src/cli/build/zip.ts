import { constants } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** `path`: relative and slash-separated; `mode`: as `stat` has it. The content of a symbolic link is where it leads to. */
export type PackageFile = { readonly path: string; readonly content: Buffer; readonly mode: number };

/** The earliest time that a zip can express. */
const FIXED_TIME = new Date(1980, 0, 1);

/** The same files give the same bytes, whenever and wherever: sorted, without times. So a deploy of unchanged code is seen as one. */
export async function zipFiles(files: readonly PackageFile[]): Promise<Buffer> {
  const zip = new ZipFile();
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const mode = modeOf(file.mode);
    zip.addBuffer(file.content, file.path, { mtime: FIXED_TIME, forceDosTimestamp: true, mode });
  }
  zip.end();
  return buffer(zip.outputStream);
}

function modeOf(mode: number): number {
  if ((mode & constants.S_IFMT) === constants.S_IFLNK) return 0o120777;
  return mode & 0o111 ? 0o100755 : 0o100644;
}
