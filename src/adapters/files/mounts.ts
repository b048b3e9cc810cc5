import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { hasCode } from './durable.ts';

/**
 * Takes away whatever is mounted below a directory, deepest first. Emptying a directory in which a process that was killed left a
 * bind mount would otherwise delete the files of the machine itself. Rejects when something stays mounted.
 */
export async function unmountBelow(directory: string): Promise<void> {
  const root = await realpath(directory);
  for (const path of mountsBelow(await mountTable(), root).toReversed()) await promisify(execFile)('umount', ['-l', path]);
  const left = mountsBelow(await mountTable(), root);
  if (left.length > 0) throw new Error(`still mounted: ${left.join(', ')}`);
}

/** The mount points below `directory` in the text of /proc/self/mountinfo, in the order in which they were mounted. */
export function mountsBelow(mountinfo: string, directory: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => unescape(line.split(' ')[4] ?? ''))
    .filter((path) => path.startsWith(`${directory}/`));
}

/** Spaces, tabs, newlines and backslashes are written as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

async function mountTable(): Promise<string> {
  try {
    return await readFile('/proc/self/mountinfo', 'utf8');
  } catch (error) {
    // Not Linux: nothing of ours is ever mounted there.
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
