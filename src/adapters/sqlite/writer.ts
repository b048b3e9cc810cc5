/** The writer thread: holds the only connection that writes, and answers each request with one reply, in order. */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { HearthError } from '../../kernel/mod.ts';
import { groupCommitter } from './group.ts';
import type { CommitResult, EncodedWrite } from './group.ts';
import { migrate } from './schema.ts';

export type WriterRequest =
  | { readonly kind: 'open' }
  | { readonly kind: 'commit'; readonly commits: readonly (readonly EncodedWrite[])[] }
  | { readonly kind: 'scrub' }
  | { readonly kind: 'close' };

export type WriterReply =
  | { readonly kind: 'opened' }
  /** The file cannot be used as a store. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'results'; readonly results: readonly CommitResult[] }
  | { readonly kind: 'scrubbed' }
  | { readonly kind: 'unscrubbed'; readonly message: string }
  | { readonly kind: 'closed' };

const port = parentPort;
if (port) serve(port, (workerData as { readonly path: string }).path);

function serve(host: NonNullable<typeof parentPort>, path: string): void {
  let db: DatabaseSync | undefined;
  let commitGroup: ReturnType<typeof groupCommitter> | undefined;
  const answer = (request: WriterRequest): WriterReply => {
    switch (request.kind) {
      case 'open':
        try {
          db = openForWriting(path);
        } catch (cause) {
          return { kind: 'refused', message: describe(cause, path) };
        }
        commitGroup = groupCommitter(db);
        return { kind: 'opened' };
      case 'commit':
        return { kind: 'results', results: commitGroup!(request.commits) };
      case 'scrub':
        try {
          scrub(db!);
          return { kind: 'scrubbed' };
        } catch (cause) {
          return { kind: 'unscrubbed', message: cause instanceof Error ? cause.message : String(cause) };
        }
      case 'close':
        db?.close();
        return { kind: 'closed' };
    }
  };
  host.on('message', (request: WriterRequest) => {
    const reply = answer(request);
    host.postMessage(reply);
    if (reply.kind === 'closed') host.close();
  });
}

function openForWriting(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
    if (mode !== 'wal')
      throw new Error(`the file system offers no write-ahead log (journal mode ${String(mode)}); network file systems often do not`);
    // FULL: an acknowledged commit is on the disk, not in its cache. fullfsync is what that takes on macOS.
    db.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA journal_size_limit = 67108864');
    // What is overwritten or deleted is zeros in its page, not just free.
    db.exec('PRAGMA secure_delete = ON');
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The file is written anew from what is valid, and the log that leads there emptied. */
function scrub(db: DatabaseSync): void {
  db.exec('VACUUM');
  const busy = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'];
  if (busy !== 0) throw new Error('something else reads the store, so its write-ahead log could not be emptied');
}

function describe(cause: unknown, path: string): string {
  if (cause instanceof HearthError) return cause.message;
  return `the store ${path} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}`;
}
