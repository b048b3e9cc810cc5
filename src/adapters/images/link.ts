import { chmodSync, copyFileSync, linkSync, lstatSync, utimesSync } from 'node:fs';

/** Another name for a file, or a copy: a file has at most so many names (ext4: 65,000), and some file systems know of one only. */
export function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if (!['EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    copy(source, target);
  }
}

function copy(source: string, target: string): void {
  copyFileSync(source, target);
  const { mode, mtimeMs } = lstatSync(source);
  chmodSync(target, mode & 0o777);
  utimesSync(target, mtimeMs / 1000, mtimeMs / 1000);
}
