/**
 * The process that is killed: commits as fast as it can from several loops, and prints what has been acknowledged, a JSON line each.
 * argv: the data directory, the round.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { FileBlobs, openDataDirectory } from '../../src/adapters/files/mod.ts';
import { SqliteStore } from '../../src/adapters/sqlite/mod.ts';

/** What the parent may rely on after it read the line. */
export type Acknowledged =
  | { readonly kind: 'started' }
  | { readonly kind: 'records'; readonly key: string; readonly digest: string; readonly revision: number }
  | { readonly kind: 'blob'; readonly sha256: string }
  | { readonly kind: 'deleted'; readonly key: string };

const nap = new Int32Array(new SharedArrayBuffer(4));

if (process.argv[2] !== undefined) await main(process.argv[2], Number(process.argv[3]));

async function main(path: string, round: number): Promise<void> {
  const data = await openDataDirectory({ path });
  const store = await SqliteStore.open({ path: data.storeFile });
  const blobs = await FileBlobs.open({ directory: data.blobs });
  say({ kind: 'started' });
  await Promise.all([...Array.from({ length: 8 }, (_, loop) => commitForever(store, `${round}-${loop}`)), blobsForever(blobs, round)]);
}

/** Each commit writes a pair that must be seen together or not at all; every fifth pair is deleted again. */
async function commitForever(store: SqliteStore, loop: string): Promise<never> {
  for (let index = 0; ; index++) {
    const key = `${loop}-${index}`;
    const text = `${key} `.repeat(1 + ((index * 37) % 400));
    const digest = createHash('sha256').update(text).digest('hex');
    const revision = await store.commit([
      { kind: 'put', key: `text/${key}`, value: text, expect: 0 },
      { kind: 'put', key: `digest/${key}`, value: digest, expect: 0 },
    ]);
    say({ kind: 'records', key, digest, revision });
    if (index % 5 !== 4) continue;
    await store.commit(['text', 'digest'].map((name) => ({ kind: 'delete', key: `${name}/${key}`, expect: revision }) as const));
    say({ kind: 'deleted', key });
  }
}

async function blobsForever(blobs: FileBlobs, round: number): Promise<never> {
  for (let index = 0; ; index++) {
    const { sha256 } = await blobs.put(Buffer.from(`round ${round} blob ${index} `.repeat(1 + ((index * 101) % 20_000))));
    say({ kind: 'blob', sha256 });
  }
}

/** Straight to the pipe, which is waited for when it is full: a line that was said is with the parent, whatever happens to this process. */
function say(line: Acknowledged): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let said = 0; said < bytes.length;) {
    try {
      said += writeSync(1, bytes, said);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(nap, 0, 0, 1);
    }
  }
}
