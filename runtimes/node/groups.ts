/** Entering control groups, by descriptors of their lists of processes that the host has opened: it is the host's right that counts. */
import { libc, pinned } from './libc.ts';

// "0" is whoever writes it.
const self = pinned(1).buffer;
self[0] = 0x30;
const COMPLAINT = 'the process could not enter its control group\n';
const complaint = pinned(COMPLAINT.length).buffer;
complaint.write(COMPLAINT);
const COMPLAINT_BYTES = BigInt(COMPLAINT.length);

/**
 * Enters `count` groups, by the descriptors from `first` on, and closes them. Ends the process where that can't be: it would have no limit.
 * Also called after user code has run: uses nothing that it could have replaced.
 */
export function enterGroups(fds: readonly number[], first: number, count: number): void {
  for (let i = first; i < first + count; i++) {
    if (libc.write(fds[i]!, self, 1n) !== 1n) {
      libc.write(2, complaint, COMPLAINT_BYTES);
      libc._exit(1);
    }
    libc.close(fds[i]!);
  }
}
