import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HearthError } from '../../kernel/mod.ts';
import { hasCode } from './durable.ts';

export const LOCK_FILES: readonly string[] = ['lock.db', 'lock.pid'];

export type DirectoryLock = { release(): void };

/**
 * Locks a directory for this process: an exclusive SQLite transaction on `lock.db`, which is a lock of the operating system. It
 * vanishes with the process however that ends, is not inherited by children, and no pid that is used again can fool it. The pid
 * in `lock.pid` only makes the error helpful.
 *
 * POSIX drops such a lock when its process closes any descriptor of the file: nothing here may open `lock.db` otherwise.
 *
 * Throws HearthError `DataDirectoryLocked`.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const db = new DatabaseSync(join(directory, 'lock.db'), { timeout: 0 });
  try {
    // In memory: nothing is ever written to it.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    if (isBusy(cause)) throw locked(directory, cause);
    throw cause;
  }
  held.add(db);
  const pidFile = join(directory, 'lock.pid');
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    release() {
      if (!held.delete(db)) return;
      rmSync(pidFile, { force: true });
      db.close();
    },
  };
}

/** A connection that is collected as garbage is closed, and its lock with it: held ones stay reachable. */
const held = new Set<DatabaseSync>();

const SQLITE_BUSY = 5;
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
}

function locked(directory: string, cause: unknown): HearthError {
  const pid = livingHolder(directory);
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  const how = pid === undefined ? 'Stop it' : `Stop it (kill ${pid})`;
  return new HearthError(
    'DataDirectoryLocked',
    `the data directory ${directory} is in use by ${who}. ${how}, or choose another directory with --data or HEARTH_DATA.`,
    { cause },
  );
}

/** The pid written by the holder; undefined when there is none yet, or when what is written is left from an earlier holder. */
function livingHolder(directory: string): number | undefined {
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(join(directory, 'lock.pid'), 'utf8'), 10);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
  return pid > 0 && isAlive(pid) ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and belongs to another user.
    return hasCode(error, 'EPERM');
  }
}
