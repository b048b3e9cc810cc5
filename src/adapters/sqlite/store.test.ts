import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { closeAfter } from '../../../test/closing.ts';
import { temporaryDirectory } from '../../../test/temporary.ts';
import { HearthError } from '../../kernel/mod.ts';
import { SqliteStore } from './mod.ts';

async function storePath(t: TestContext): Promise<string> {
  const directory = temporaryDirectory(t);
  return join(directory, 'store.db');
}

const put = (key: string) => [{ kind: 'put', key, value: 1 }] as const;

test('when the writer thread dies, every waiting commit fails clearly and so does every later one', async (t) => {
  const path = await storePath(t);
  await (await SqliteStore.open({ path })).close();
  const store = await SqliteStore.open({ path, writerScript: script(`if (request.kind === 'commit') process.exit(3)`) });
  closeAfter(t, () => store.close());
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((key) => store.commit(put(key))));
  outcomes.push(...(await Promise.allSettled([store.commit(put('d'))])));
  for (const outcome of outcomes) {
    assert.equal(outcome.status, 'rejected');
    const reason: unknown = outcome.reason;
    assert.ok(reason instanceof HearthError && reason.code === 'StoreFailed');
    assert.match(reason.message, /writer thread is gone \(it ended with code 3\).*Restart Hearth/);
  }
  assert.deepEqual(await store.list(''), []);
});

test('an exception in the writer thread is named as the cause', async (t) => {
  const path = await storePath(t);
  await (await SqliteStore.open({ path })).close();
  const store = await SqliteStore.open({ path, writerScript: script(`if (request.kind === 'commit') throw new Error('out of luck')`) });
  closeAfter(t, () => store.close());
  await assert.rejects(store.commit(put('a')), { code: 'StoreFailed', message: /out of luck/ });
});

test('commits beyond the bound of the queue are refused at once, the others are stored', async (t) => {
  const store = await SqliteStore.open({
    path: await storePath(t),
    limits: { queuedCommits: 10, queuedBytes: 1_000, groupCommits: 3, groupBytes: 100 },
  });
  closeAfter(t, () => store.close());
  const outcomes = await Promise.allSettled(Array.from({ length: 15 }, (_, index) => store.commit(put(`k/${index}`))));
  const stored = outcomes.filter((outcome) => outcome.status === 'fulfilled').length;
  assert.equal(stored, 10);
  assert.equal((await store.list('k/')).length, 10);
  const tooMuch = [store.commit(put('x')), store.commit([{ kind: 'put', key: 'y', value: 'y'.repeat(1_000) }])];
  assert.deepEqual(
    (await Promise.allSettled(tooMuch)).map((outcome) => outcome.status),
    ['fulfilled', 'rejected'],
  );
});

test('a file that is no database is refused and left as it is', async (t) => {
  const path = await storePath(t);
  await writeFile(path, 'these are the notes of somebody, and they are longer than a database header is. '.repeat(10));
  await assert.rejects(SqliteStore.open({ path }), { code: 'DataDirectoryUnusable', message: /cannot be opened.*not a database/ });
});

test('a store in a directory that is not there is refused', async (t) => {
  const path = join(await storePath(t), 'missing', 'store.db');
  await assert.rejects(SqliteStore.open({ path }), { code: 'DataDirectoryUnusable' });
});

/** A writer thread that answers as the real one does, after `onRequest`. */
function script(onRequest: string): URL {
  return new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', (request) => {
        ${onRequest};
        parentPort.postMessage({ kind: request.kind === 'close' ? 'closed' : 'opened' });
        if (request.kind === 'close') parentPort.close();
      });`)}`,
  );
}
