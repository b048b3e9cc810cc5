/** How many instances the files suffice for that the host may have open (setrlimit(2)). */
import { readFileSync } from 'node:fs';
import type { Log } from '../../kernel/mod.ts';
import { libc, pinned } from '../../../runtimes/ladder/libc.ts';

const RLIMIT_NOFILE = 7;
/** Soft and hard. */
const pair = pinned(16);
/** Connections, the store, the logs, and what the first instances of each sandbox and those that are being made have beside their socket. */
const BESIDE = 4_096;

/**
 * Raises the limit to what `instances` need at one descriptor each, and their callers, half as many, at another. Returns how many there
 * may be: fewer where the limit stays, as it does at the hard one for all but root.
 */
export function allowInstances(instances: number, log: Log): number {
  const callers = Math.ceil(instances / 2);
  const wanted = BESIDE + callers + instances;
  const limit = openFiles(readFileSync('/proc/self/limits', 'latin1'));
  if (limit >= wanted) return instances;
  pair.buffer.writeBigUInt64LE(BigInt(wanted), 0);
  pair.buffer.writeBigUInt64LE(BigInt(wanted), 8);
  if (libc.setrlimit(RLIMIT_NOFILE, pair.address) === 0) return instances;
  const most = Math.max(LEAST, Math.min(instances, limit - BESIDE));
  log.warn(
    { limit, wanted, instances: most },
    'this process may open so few files that there can be fewer instances; LimitNOFILE= or "ulimit -Hn" allows more',
  );
  return most;
}

const LEAST = 100;

/** The soft limit, which Node has raised to the hard one. */
export function openFiles(limits: string): number {
  const soft = /^Max open files +(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft);
}
