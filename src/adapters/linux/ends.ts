import { libc } from '../../../runtimes/ladder/libc.ts';
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
