/** Mount namespaces for instances, made ahead: each has a /tmp of its own. */
import { cpSync, lstatSync, openSync, readdirSync, writeSync } from 'node:fs';
import { enter, moveMount, mountTmp, newMountNamespace } from './isolate.ts';
import type { FunctionMessage } from './orders.ts';
import { ownTmpDevice } from './strays.ts';

/** `tmp`: the device of the /tmp in it. */
export type Spare = { readonly user: number; readonly mounts: number; readonly tmp: string };

export type SpareMaker = () => Spare;

/**
 * Makes mount namespaces that differ in their /tmp. They belong to a user namespace owned by the sandbox's user: that is why a forked instance,
 * the same user one namespace above, may enter them and has no right to anything else. A fresh /tmp begins as init left the template's.
 */
export function spareMaker(message: FunctionMessage, user: { readonly uid: number; readonly gid: number }): SpareMaker {
  const userNamespace = openSync('/proc/self/ns/user', 'r');
  const base = openSync('/proc/self/ns/mnt', 'r');
  return () => {
    enter(base);
    newMountNamespace();
    if (readdirSync('/tmp').length === 0) mountTmp('/tmp', { ...message, ...user });
    else {
      mountTmp('/.tmp', { ...message, ...user });
      copyTmp();
      moveMount('/.tmp', '/tmp');
    }
    return { user: userNamespace, mounts: openSync('/proc/self/ns/mnt', 'r'), tmp: ownTmpDevice() };
  };
}

/** As far as it goes: what init has written with holes may have no room when they are filled. */
function copyTmp(): void {
  try {
    cpSync('/tmp', '/.tmp', { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: canBeCopied });
  } catch (error) {
    // The function's log has it: its instances lack files that its init has seen.
    writeSync(2, `not all that init left in /tmp is there in an instance: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** A pipe or a socket without the process that made it is of no use. */
function canBeCopied(path: string): boolean {
  const status = lstatSync(path);
  return status.isFile() || status.isDirectory() || status.isSymbolicLink();
}
