import { check, libc } from '../../../runtimes/ladder/libc.ts';
import { packetPipe, socketPair } from '../../../runtimes/ladder/messages.ts';

export type Ends = { readonly near: number; readonly far: number; readonly reading?: number; readonly writing?: number };

/** An instance's connection and, where it runs one invocation at a time, the pipe for those. Both or, where there are no more descriptors, neither. */
export function openEnds(sequential: boolean): Ends {
  const [near, far] = socketPair();
  if (!sequential) return { near, far };
  try {
    const [reading, writing] = packetPipe();
    return { near, far, reading, writing };
  } catch (error) {
    libc.close(near);
    libc.close(far);
    throw error;
  }
}

/** For a template from elsewhere: both ends of its connection to its keeper, and one more descriptor of its output. */
export type GuestEnds = { readonly keeper: number; readonly template: number; readonly output: number };

/** All, or where there are no more descriptors none. */
export function openGuestEnds(output: number): GuestEnds {
  const F_DUPFD_CLOEXEC = 1030;
  const again = check(libc.fcntl(output, F_DUPFD_CLOEXEC, 0), 'fcntl');
  try {
    const [keeper, template] = socketPair();
    return { keeper, template, output: again };
  } catch (error) {
    libc.close(again);
    throw error;
  }
}
