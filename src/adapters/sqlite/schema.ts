import type { DatabaseSync } from 'node:sqlite';
import { HearthError } from '../../kernel/mod.ts';

/** One entry per schema version, in order, never changed once released. `PRAGMA user_version` counts those applied. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE records (
     key TEXT NOT NULL PRIMARY KEY,
     value TEXT NOT NULL,
     revision INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   INSERT INTO counters (name, value) VALUES ('revision', 0);`,
  // No other schema: from here on records hold environments sealed, and a Hearth that looks for plain ones must not open them.
  '',
  // No other schema: a Hearth that knows no layers would remove their packages, as those that nobody refers to.
  '',
];

/** Marks the file as ours ("Hrth"), so that another program's database is not taken for an empty store. */
const APPLICATION_ID = 0x48727468;

/**
 * Brings the schema up to date, each version in a transaction of its own. Throws HearthError `DataDirectoryUnusable` for a file
 * that is not a Hearth store, or one written by a newer Hearth; nothing is changed then.
 */
export function migrate(db: DatabaseSync, path: string, migrations: readonly string[] = MIGRATIONS): void {
  const version = pragma(db, 'user_version');
  checkOwner(db, path);
  if (version > migrations.length) {
    throw new HearthError(
      'DataDirectoryUnusable',
      `the store ${path} has schema version ${version}, and this Hearth knows versions up to ${migrations.length}: a newer Hearth wrote it. ` +
        'Start that version or a later one, or use another data directory.',
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index >= version) step(db, path, index + 1, sql);
  }
}

function checkOwner(db: DatabaseSync, path: string): void {
  const owner = pragma(db, 'application_id');
  const empty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (owner === APPLICATION_ID || (owner === 0 && empty)) return;
  throw new HearthError('DataDirectoryUnusable', `${path} is a database of another program. Use another data directory.`);
}

function step(db: DatabaseSync, path: string, version: number, sql: string): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(sql);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version}; COMMIT`);
  } catch (cause) {
    if (db.isTransaction) db.exec('ROLLBACK');
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HearthError('DataDirectoryUnusable', `the store ${path} cannot be brought to schema version ${version}: ${why}`, { cause });
  }
}

function pragma(db: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
