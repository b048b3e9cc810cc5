import { DatabaseSync } from 'node:sqlite';
import { HearthError } from '../../kernel/mod.ts';
import type { StoredRecord } from '../../ports/mod.ts';

/** The connection that reads. Throws HearthError `StoreFailed` when the file cannot be read. */
export type Reader = {
  get<T>(key: string): StoredRecord<T> | undefined;
  list<T>(prefix: string, after: string, limit: number): StoredRecord<T>[];
  close(): void;
};

export function openReader(path: string): Reader {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  const one = db.prepare('SELECT key, value, revision FROM records WHERE key = ?');
  const many = db.prepare('SELECT key, value, revision FROM records WHERE key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?');
  return {
    get: <T>(key: string) =>
      reading(path, () => {
        const row = one.get(key);
        return row && record<T>(row);
      }),
    list: <T>(prefix: string, after: string, limit: number) =>
      // 0x7f comes after every character that a key may have.
      reading(path, () => many.all(prefix, `${prefix}\x7f`, after, limit).map((row) => record<T>(row))),
    close: () => db.close(),
  };
}

function record<T>(row: Record<string, unknown>): StoredRecord<T> {
  return { key: String(row['key']), value: JSON.parse(String(row['value'])) as T, revision: Number(row['revision']) };
}

function reading<R>(path: string, read: () => R): R {
  try {
    return read();
  } catch (cause) {
    throw new HearthError('StoreFailed', `the store ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
