import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { groupCommitter } from './group.ts';
import { migrate } from './schema.ts';

function database(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  migrate(db, 'store.db');
  return db;
}
const put = (key: string, expect?: number) => ({ key, value: '1', expect });
const keys = (db: DatabaseSync) =>
  db
    .prepare('SELECT key FROM records ORDER BY key')
    .all()
    .map((row) => row['key']);

test('a conflicting commit fails alone in its group, and takes no revision', () => {
  const db = database();
  const results = groupCommitter(db)([[put('a')], [put('b'), put('a', 0)], [put('c', 0)]]);
  assert.deepEqual(
    results.map((result) => (result.kind === 'committed' ? result.revision : result.kind)),
    [1, 'conflict', 2],
  );
  assert.deepEqual(keys(db), ['a', 'c']);
});

test('a commit sees what an earlier one of its group wrote', () => {
  const results = groupCommitter(database())([[put('a', 0)], [put('a', 1)], [put('a', 1)]]);
  assert.deepEqual(
    results.map((result) => result.kind),
    ['committed', 'committed', 'conflict'],
  );
});

test('a failing disk fails the whole group, stores nothing of it, and the next group goes on', () => {
  const db = database();
  const commit = groupCommitter(db);
  db.exec("CREATE TRIGGER disk BEFORE INSERT ON records WHEN new.key = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END");
  const results = commit([[put('a')], [put('bad')], [put('c')]]);
  const failed = { kind: 'failed', message: 'disk full' };
  assert.deepEqual(results, [failed, failed, failed]);
  assert.deepEqual(keys(db), []);
  assert.deepEqual(commit([[put('c')]]), [{ kind: 'committed', revision: 1 }]);
});
