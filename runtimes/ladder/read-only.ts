import { check, libc, SystemCallError } from './libc.ts';
import { nap } from './nap.ts';

export const MS_RDONLY = 1n;
const MS_REMOUNT = 32n;
export const MS_BIND = 4096n;
const EBUSY = 16;
const MOST_TRIES = 1_000;

/**
 * Nothing can be written through this mount any more. Whoever follows a link or lists a directory on it at this moment writes down when, and
 * the mount is busy for as long (mount(2)): it is asked again a moment later. `flags`: the others that it is to have. Throws SystemCallError.
 */
export function makeReadOnly(target: string, flags: bigint, what: string, pause: () => void = () => nap(1)): void {
  for (let tries = 1; ; tries++) {
    try {
      check(libc.mount('none', target, 'none', MS_BIND | MS_REMOUNT | MS_RDONLY | flags, ''), `make ${what} read-only`);
      return;
    } catch (error) {
      if (!(error instanceof SystemCallError) || error.errno !== EBUSY || tries === MOST_TRIES) throw error;
    }
    pause();
  }
}
