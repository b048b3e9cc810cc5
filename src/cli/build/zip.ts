import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** `path`: relative and slash-separated. */
export type PackageFile = { readonly path: string; readonly content: Buffer; readonly mode: number };

/** The earliest time that a zip can express. */
const FIXED_TIME = new Date(1980, 0, 1);

/** The same files give the same bytes, whenever and wherever: sorted, without times. So a deploy of unchanged code is seen as one. */
export async function zipFiles(files: readonly PackageFile[]): Promise<Buffer> {
  const zip = new ZipFile();
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const mode = file.mode & 0o111 ? 0o100755 : 0o100644;
    zip.addBuffer(file.content, file.path, { mtime: FIXED_TIME, forceDosTimestamp: true, mode });
  }
  zip.end();
  return buffer(zip.outputStream);
}
