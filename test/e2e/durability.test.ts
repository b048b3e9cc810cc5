import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { killAfter } from '../closing.ts';
import { temporaryDirectory } from '../temporary.ts';
import { FileBlobs, openDataDirectory } from '../../src/adapters/files/mod.ts';
import { SqliteStore } from '../../src/adapters/sqlite/mod.ts';
import type { Acknowledged } from './durability-child.ts';

const ROUNDS = 20;
const CHILD = fileURLToPath(new URL('./durability-child.ts', import.meta.url));

test(`nothing acknowledged is lost, and nothing half done is seen, over ${ROUNDS} times of kill -9`, async (t) => {
  const path = temporaryDirectory(t);
  const known = new Known();
  for (let round = 0; round < ROUNDS; round++) {
    // From the very start of the process to well into its work.
    const early = round % 4 === 0;
    const moment = { lines: early ? 0 : Math.floor(Math.random() * 300), delayMs: Math.random() * (early ? 400 : 15) };
    await killedAfter(t, path, round, moment, known);
    await verify(path, known);
  }
  t.diagnostic(`${known.digests.size} records and ${known.blobs.size} blobs were acknowledged and are there`);
  assert.ok(known.digests.size > ROUNDS && known.blobs.size > ROUNDS / 2);
});

test('a second process is refused while the first lives, with directory and pid, and let in as soon as the first is killed', async (t) => {
  const path = temporaryDirectory(t);
  const first = start(t, path, 0);
  await first.nextLine();
  const second = start(t, path, 1);
  const errors = await Array.fromAsync(second.process.stderr);
  assert.equal((await second.exit)[0], 1);
  assert.match(errors.join(''), new RegExp(`DataDirectoryLocked`));
  assert.match(errors.join(''), new RegExp(`${path} is in use by process ${first.process.pid}\\. Stop it \\(kill ${first.process.pid}\\)`));
  first.process.kill('SIGKILL');
  await first.exit;
  const third = start(t, path, 2);
  assert.deepEqual(JSON.parse((await third.nextLine())!), { kind: 'started' });
});

/** What the killed processes said they had stored. */
class Known {
  readonly digests = new Map<string, string>();
  readonly blobs = new Set<string>();
  readonly deleted = new Set<string>();
  /** Deleting these may have been stored without having been acknowledged. */
  readonly maybeDeleted = new Set<string>();
  lastRevision = 0;

  hear(line: Acknowledged): void {
    switch (line.kind) {
      case 'started':
        return;
      case 'records':
        this.digests.set(line.key, line.digest);
        if (Number(line.key.split('-')[2]) % 5 === 4) this.maybeDeleted.add(line.key);
        this.lastRevision = Math.max(this.lastRevision, line.revision);
        return;
      case 'deleted':
        this.digests.delete(line.key);
        this.deleted.add(line.key);
        return;
      case 'blob':
        this.blobs.add(line.sha256);
    }
  }
}

async function killedAfter(
  t: TestContext,
  path: string,
  round: number,
  moment: { lines: number; delayMs: number },
  known: Known,
): Promise<void> {
  const child = start(t, path, round);
  for (let count = 0; count < moment.lines; count++) {
    const line = await child.nextLine();
    assert.ok(line !== undefined, 'the child ended by itself');
    known.hear(JSON.parse(line) as Acknowledged);
  }
  await wait(moment.delayMs);
  child.process.kill('SIGKILL');
  // What it said before it died counts as well.
  for (let line = await child.nextLine(); line !== undefined; line = await child.nextLine()) known.hear(JSON.parse(line) as Acknowledged);
  assert.deepEqual(await child.exit, [null, 'SIGKILL']);
}

async function verify(path: string, known: Known): Promise<void> {
  const data = await openDataDirectory({ path });
  const store = await SqliteStore.open({ path: data.storeFile });
  try {
    const texts = await everything(store, 'text/');
    const digests = await everything(store, 'digest/');
    assert.deepEqual([...texts.keys()], [...digests.keys()], 'each pair is there together or not at all');
    for (const [key, text] of texts) assert.equal(createHash('sha256').update(text).digest('hex'), digests.get(key), `${key} is intact`);
    for (const [key, digest] of known.digests) {
      if (digests.has(key) || !known.maybeDeleted.has(key)) assert.equal(digests.get(key), digest, `${key} was acknowledged`);
    }
    for (const key of known.deleted) assert.ok(!digests.has(key), `${key} stays deleted`);
    assert.ok((await store.commit([])) > known.lastRevision, 'revisions go on growing');
    const blobs = await FileBlobs.open({ directory: data.blobs });
    for (const sha256 of known.blobs) await blobs.get(sha256);
    for await (const sha256 of blobs.list()) await blobs.get(sha256);
    assert.deepEqual(readdirSync(join(data.blobs, 'tmp')), []);
    assert.deepEqual(
      readdirSync(path).filter((name) => name.endsWith('.tmp')),
      [],
    );
  } finally {
    await store.close();
    await data.close();
  }
}

async function everything(store: SqliteStore, prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let after = ''; ;) {
    const page = await store.list<string>(prefix, { after });
    for (const record of page) found.set(record.key.slice(prefix.length), record.value);
    if (page.length === 0) return found;
    after = page.at(-1)!.key;
  }
}

function start(t: TestContext, path: string, round: number) {
  const child = spawn(process.execPath, [CHILD, path, String(round)], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr.setEncoding('utf8');
  killAfter(t, child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exit = once(child, 'exit');
  return { process: child, exit, nextLine: async (): Promise<string | undefined> => (await lines.next()).value };
}
