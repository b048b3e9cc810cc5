/** An image's files in a directory of the OCI layout. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { invalid, quote } from './errors.ts';
import { missing, readDocument, readRange, readStart } from './files.ts';
import type { ImageFiles } from './files.ts';
import type { ImageLimits } from './limits.ts';

export function openDirectory(directory: string, limits: ImageLimits): ImageFiles {
  const open = (name: string) => openFile(join(directory, name));
  const opened = (name: string) => open(name) ?? missing(name);
  return {
    kind: 'directory',
    size(name) {
      const file = open(name);
      if (file) closeSync(file.fd);
      return file?.size;
    },
    async *stream(name) {
      const { fd } = opened(name);
      try {
        yield* readRange(fd, {});
      } finally {
        closeSync(fd);
      }
    },
    start: (name, bytes) => using(opened(name), ({ fd }) => readStart(fd, 0, bytes)),
    read: (name) => using(opened(name), ({ fd, size }) => readDocument(fd, { name, offset: 0, size, limits })),
    close: () => undefined,
  };
}

type OpenFile = { readonly fd: number; readonly size: number };

function using<T>(file: OpenFile, use: (file: OpenFile) => T): T {
  try {
    return use(file);
  } finally {
    closeSync(file.fd);
  }
}

/** Not through a link, and no pipe or device, which might never end: the directory may come from anywhere. */
function openFile(path: string): OpenFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw invalid(`${quote(path)} can't be opened: ${code ?? String(error)}`, error);
  }
  const status = fstatSync(fd);
  if (status.isFile()) return { fd, size: status.size };
  closeSync(fd);
  throw invalid(`${quote(path)} is not a file`);
}
