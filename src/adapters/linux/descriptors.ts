/** How many files the host may have open (setrlimit(2)). */
import { readFileSync } from 'node:fs';
import type { Log } from '../../kernel/mod.ts';
import { libc } from '../../../runtimes/node/libc.ts';

const RLIMIT_NOFILE = 7;
/** Its socket and its pipe; both ends of either as long as its sandbox has not heard of it; and its caller's connection. */
const PER_INSTANCE = 5;
/** Connections that wait for nothing, the store, the logs. */
const BESIDE = 4_096;

/** Raises the limit to what `instances` need. Only root may go beyond the hard one; where that is not enough, the log says so. */
export function allowDescriptors(instances: number, log: Log): void {
  const wanted = BESIDE + PER_INSTANCE * instances;
  const limit = openFiles(readFileSync('/proc/self/limits', 'latin1'));
  if (limit >= wanted) return;
  const pair = Buffer.alloc(16);
  pair.writeBigUInt64LE(BigInt(wanted), 0);
  pair.writeBigUInt64LE(BigInt(wanted), 8);
  if (libc.setrlimit(RLIMIT_NOFILE, pair) === 0) return;
  log.warn(
    { limit, wanted },
    'this process may open too few files for as many instances as there may be; "ulimit -Hn" or LimitNOFILE= allows more',
  );
}

/** The soft limit, which Node has raised to the hard one. */
export function openFiles(limits: string): number {
  const soft = /^Max open files +(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
}
