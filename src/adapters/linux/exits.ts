import { constants } from 'node:os';
import type { Exit } from '../../ports/mod.ts';
import { NEVER_BEGAN } from '../../../runtimes/ladder/orders.ts';

/** Some signals have two names; the first is the usual one (SIGABRT before SIGIOT). */
const NAMES = new Map(
  Object.entries(constants.signals)
    .map(([name, number]) => [number, name] as const)
    .toReversed(),
);

/** A wait status as waitpid(2) gives it, or NEVER_BEGAN. */
export function exitOf(status: number): Exit {
  if (status === NEVER_BEGAN) return { kind: 'ended' };
  const signal = status & 0x7f;
  if (signal === 0) return { kind: 'exited', code: (status >> 8) & 0xff };
  return { kind: 'signalled', signal: NAMES.get(signal) ?? `SIG${signal}` };
}

/** Ends a process that may have ended a moment ago. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It has: what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
