/** Whom a platform runs as: whoever runs the tests, and where that is root, also a user without rights. */
import { chown, chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../temporary.ts';

export type User = 'root' | 'an ordinary user';

const root = process.getuid?.() === 0;
/** Nobody's, as on all of Linux. */
const ORDINARY_ID = 65534;

export const USERS: readonly User[] = root ? ['root', 'an ordinary user'] : ['an ordinary user'];

export type Launch = { readonly command: string; readonly args: readonly string[]; readonly home: string };

/**
 * How to start `command` as an ordinary user, where the tests run as root: what lies below `tree` is seen at a place that this user can
 * reach, whoever may enter the directories above it. `directory` becomes that user's.
 */
export async function launchAs(
  t: TestContext,
  user: User,
  { tree, command, args, directory }: { tree: string; command: string; args: readonly string[]; directory: string },
): Promise<Launch> {
  if (user === 'root' || !root) return { command, args, home: process.env['HOME'] ?? directory };
  await chown(directory, ORDINARY_ID, ORDINARY_ID);
  const above = temporaryDirectory(t);
  await chmod(above, 0o755);
  const place = join(above, 'tree');
  const home = join(above, 'home');
  for (const path of [place, home]) await mkdir(path);
  await chown(home, ORDINARY_ID, ORDINARY_ID);
  const there = [command, ...args].map((text) => (text.startsWith(`${tree}/`) ? join(place, text.slice(tree.length)) : text));
  const change = ['--reuid', '--regid'].map((option) => `${option}=${ORDINARY_ID}`);
  // The mount is seen by the new process alone, and goes with it.
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
  return {
    command: 'unshare',
    args: ['--mount', 'sh', '-c', script, 'sh', tree, place, 'setpriv', ...change, '--clear-groups', ...there],
    home,
  };
}
