import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { MIGRATIONS, migrate } from './schema.ts';

const unusable = (message: RegExp) => ({ name: 'HearthError', code: 'DataDirectoryUnusable', message });
const version = (db: DatabaseSync) => db.prepare('PRAGMA user_version').get()!['user_version'];

test('an empty file gets the newest schema, and migrating again changes nothing', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, 'store.db');
  assert.equal(version(db), MIGRATIONS.length);
  db.exec("INSERT INTO records VALUES ('a', '1', 1)");
  migrate(db, 'store.db');
  assert.equal(db.prepare('SELECT count(*) AS n FROM records').get()!['n'], 1);
});

test('a store of an earlier version is brought up step by step with its records', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, 'store.db');
  db.exec("INSERT INTO records VALUES ('a', '1', 1)");
  migrate(db, 'store.db', [...MIGRATIONS, 'ALTER TABLE records ADD COLUMN note TEXT', "UPDATE records SET note = 'kept'"]);
  assert.equal(version(db), MIGRATIONS.length + 2);
  assert.deepEqual({ ...db.prepare('SELECT key, note FROM records').get() }, { key: 'a', note: 'kept' });
});

test('a migration that fails leaves the version before it, whole', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, 'store.db');
  const failing = [...MIGRATIONS, 'CREATE TABLE half (a); INSERT INTO nowhere VALUES (1)'];
  assert.throws(() => migrate(db, 'store.db', failing), unusable(new RegExp(`schema version ${failing.length}.*nowhere`)));
  assert.equal(version(db), MIGRATIONS.length);
  assert.equal(db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'half'").get(), undefined);
});

test('a store written by a newer Hearth is refused and says so', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, 'store.db');
  db.exec('PRAGMA user_version = 7');
  assert.throws(() => migrate(db, 'store.db'), unusable(/schema version 7.*newer Hearth/));
});

test('a database of another program is refused and left alone', () => {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE theirs (a)');
  assert.throws(() => migrate(db, 'theirs.db'), unusable(/another program/));
  assert.equal(version(db), 0);
});
