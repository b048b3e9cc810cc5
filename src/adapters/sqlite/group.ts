import type { DatabaseSync } from 'node:sqlite';

/** A write on its way to the writer thread: the value as JSON text, null to delete. */
export type EncodedWrite = { readonly key: string; readonly value: string | null; readonly expect: number | undefined };

export type CommitResult =
  | { readonly kind: 'committed'; readonly revision: number }
  | { readonly kind: 'conflict'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * Writes a group of commits in one transaction, so that they share one fsync. A commit whose expectations do not hold fails
 * alone: they are checked before its first write, so there is nothing of it to undo. Any other failure is the disk's or the
 * database's, and fails the whole group: none of it has been acknowledged.
 */
export function groupCommitter(db: DatabaseSync): (commits: readonly (readonly EncodedWrite[])[]) => readonly CommitResult[] {
  const current = db.prepare('SELECT revision FROM records WHERE key = ?');
  const put = db.prepare(
    'INSERT INTO records (key, value, revision) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision',
  );
  const remove = db.prepare('DELETE FROM records WHERE key = ?');
  const lastRevision = db.prepare("SELECT value FROM counters WHERE name = 'revision'");
  const saveRevision = db.prepare("UPDATE counters SET value = ? WHERE name = 'revision'");

  const conflictOf = (write: EncodedWrite): string | undefined => {
    if (write.expect === undefined) return undefined;
    const found = Number(current.get(write.key)?.['revision'] ?? 0);
    return found === write.expect ? undefined : `${write.key} has revision ${found}, and the write expects ${write.expect}`;
  };

  const commitOne = (writes: readonly EncodedWrite[], revision: number): CommitResult => {
    for (const write of writes) {
      const message = conflictOf(write);
      if (message !== undefined) return { kind: 'conflict', message };
    }
    for (const write of writes) {
      if (write.value === null) remove.run(write.key);
      else put.run(write.key, write.value, revision);
    }
    return { kind: 'committed', revision };
  };

  return (commits) => {
    try {
      db.exec('BEGIN IMMEDIATE');
      let revision = Number(lastRevision.get()!['value']);
      const results = commits.map((writes) => {
        const result = commitOne(writes, revision + 1);
        if (result.kind === 'committed') revision += 1;
        return result;
      });
      saveRevision.run(revision);
      db.exec('COMMIT');
      return results;
    } catch (cause) {
      if (db.isTransaction) db.exec('ROLLBACK');
      const message = cause instanceof Error ? cause.message : String(cause);
      return commits.map(() => ({ kind: 'failed', message }));
    }
  };
}
