/** Entering control groups, by descriptors of their lists of processes that the host has opened: it is the host's right that counts. */
import { libc, pinnedText } from './libc.ts';

// "0" is whoever writes it.
const self = pinnedText('0');
const COMPLAINT = 'the process could not enter its control group\n';
const complaint = pinnedText(COMPLAINT);
const COMPLAINT_BYTES = BigInt(COMPLAINT.length);

/**
 * Enters `count` groups, by the descriptors from `first` on, and closes them. Ends the process where that can't be: it would have no limit.
 * Also called after user code has run: uses nothing that it could have replaced.
 */
export function enterGroups(fds: readonly number[], first: number, count: number): void {
  for (let i = first; i < first + count; i++) {
    if (libc.write(fds[i]!, self.address, 1n) !== 1n) {
      libc.write(2, complaint.address, COMPLAINT_BYTES);
      libc._exit(1);
    }
    libc.close(fds[i]!);
  }
}
