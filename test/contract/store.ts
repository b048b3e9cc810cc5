import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { closeAfter } from '../closing.ts';
import type { Store } from '../../src/ports/mod.ts';
import { storeCommands } from './store-model.ts';

/** A place where a store lives: `open` again after `close` finds what was committed. */
export type StorePlace = { open(): Promise<Store> };

/** What every implementation of the Store port promises. `place` makes an empty one, and has it cleaned up by `closeAfter`. */
export function storeContract(name: string, place: (t: TestContext) => Promise<StorePlace>): void {
  const opened = async (t: TestContext): Promise<Store> => {
    const store = await (await place(t)).open();
    closeAfter(t, () => store.close());
    return store;
  };
  const put = (key: string, value: unknown, expect?: number) =>
    ({ kind: 'put', key, value, ...(expect === undefined ? {} : { expect }) }) as const;
  const conflict = { name: 'HearthError', code: 'StoreConflict' };
  const failure = { name: 'HearthError', code: 'StoreFailed' };

  test(`${name}: a committed record is read back with the revision of its commit`, async (t) => {
    const store = await opened(t);
    const value = { text: 'Grüße \u0000 \ud800', list: [1, null, true], nested: { empty: {} } };
    const revision = await store.commit([put('functions/hello', value)]);
    assert.ok(Number.isInteger(revision) && revision > 0);
    assert.deepEqual(await store.get('functions/hello'), { key: 'functions/hello', value, revision });
    assert.equal(await store.get('functions/other'), undefined);
  });

  test(`${name}: what is read is a copy, and so is what was written`, async (t) => {
    const store = await opened(t);
    const written = { count: 1 };
    const done = store.commit([put('a', written)]);
    written.count = 2;
    await done;
    const first = await store.get<{ count: number }>('a');
    first!.value.count = 3;
    assert.equal((await store.get<{ count: number }>('a'))!.value.count, 1);
  });

  test(`${name}: revisions grow with every commit, and writes of one commit share theirs`, async (t) => {
    const store = await opened(t);
    const first = await store.commit([put('a', 1), put('b', 1)]);
    const second = await store.commit([put('b', 2)]);
    assert.ok(second > first);
    assert.deepEqual(
      (await store.list('')).map((record) => record.revision),
      [first, second],
    );
    assert.ok((await store.commit([])) > second);
  });

  test(`${name}: a write whose expectation does not hold changes nothing of its commit`, async (t) => {
    const store = await opened(t);
    const revision = await store.commit([put('a', 1, 0)]);
    await assert.rejects(store.commit([put('b', 1), put('a', 2, 0)]), conflict);
    await assert.rejects(store.commit([put('b', 1), put('a', 2, revision + 1)]), conflict);
    await assert.rejects(store.commit([put('b', 1), { kind: 'delete', key: 'c', expect: 1 }]), conflict);
    assert.deepEqual(await store.list(''), [{ key: 'a', value: 1, revision }]);
    await store.commit([put('a', 2, revision), { kind: 'delete', key: 'c', expect: 0 }]);
    assert.equal((await store.get('a'))!.value, 2);
  });

  test(`${name}: of concurrent commits that expect the same revision exactly one succeeds`, async (t) => {
    const store = await opened(t);
    const revision = await store.commit([put('counter', 0)]);
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => store.commit([put('counter', index, revision), put(`mark/${index}`, 1)])),
    );
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
    assert.equal(winners.length, 1);
    assert.equal((await store.get('counter'))!.value, winners[0]);
    assert.deepEqual(
      (await store.list('mark/')).map((record) => record.key),
      [`mark/${winners[0]}`],
    );
  });

  test(`${name}: commits that run at once get revisions of their own, and each is visible once acknowledged`, async (t) => {
    const store = await opened(t);
    const revisions = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const revision = await store.commit([put(`many/${index}`, index)]);
        assert.equal((await store.get(`many/${index}`))!.revision, revision);
        return revision;
      }),
    );
    assert.equal(new Set(revisions).size, 200);
  });

  test(`${name}: a deleted record is gone, and deleting it again is no error`, async (t) => {
    const store = await opened(t);
    const first = await store.commit([put('a', 1)]);
    await store.commit([{ kind: 'delete', key: 'a' }]);
    assert.equal(await store.get('a'), undefined);
    await store.commit([{ kind: 'delete', key: 'a' }]);
    assert.ok((await store.commit([put('a', 1, 0)])) > first);
  });

  test(`${name}: a list is in byte order, by prefix, and paged`, async (t) => {
    const store = await opened(t);
    const keys = ['f/B', 'f/a', 'f/a/b', 'f/a0', 'f/~', 'f', 'f0', 'g/a', 'f/_%'];
    await store.commit(keys.map((key) => put(key, key)));
    const expected = keys.filter((key) => key.startsWith('f/')).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const listed = async (page?: { after?: string; limit?: number }) => (await store.list('f/', page)).map((record) => record.key);
    assert.deepEqual(await listed(), expected);
    assert.deepEqual(await listed({ limit: 2 }), expected.slice(0, 2));
    assert.deepEqual(await listed({ after: expected[1]!, limit: 2 }), expected.slice(2, 4));
    assert.deepEqual(await listed({ after: 'f/~' }), []);
    assert.deepEqual(await listed({ after: 'a' }), expected);
  });

  test(`${name}: a list without a limit ends at 1,000 records`, async (t) => {
    const store = await opened(t);
    await store.commit(Array.from({ length: 1_001 }, (_, index) => put(`n/${index}`, index)));
    assert.equal((await store.list('n/')).length, 1_000);
    assert.equal((await store.list('n/', { limit: 2_000 })).length, 1_001);
  });

  test(`${name}: keys and values that cannot be stored are refused and nothing is written`, async (t) => {
    const store = await opened(t);
    for (const key of ['', 'ü', 'a\n', 'x'.repeat(513)]) await assert.rejects(store.commit([put('good', 1), put(key, 1)]), /store key/);
    await assert.rejects(store.commit([put('good', 1), put('a', undefined)]), /JSON/);
    await assert.rejects(store.commit([put('good', 1), put('a', 'x'.repeat(17 * 1024 * 1024))]), failure);
    assert.deepEqual(await store.list(''), []);
  });

  test(`${name}: what was committed is there after closing and opening again, and revisions go on growing`, async (t) => {
    const home = await place(t);
    const before = await home.open();
    const last = (await Promise.all([before.commit([put('a', 1)]), before.commit([put('b', 2)])])).reduce((a, b) => Math.max(a, b));
    await before.commit([{ kind: 'delete', key: 'b' }]);
    await before.close();
    const after = await home.open();
    closeAfter(t, () => after.close());
    assert.deepEqual(
      (await after.list('')).map(({ key, value }) => [key, value]),
      [['a', 1]],
    );
    assert.ok((await after.commit([put('c', 3)])) > last + 1);
  });

  test(`${name}: closing waits for commits under way, and a closed store refuses`, async (t) => {
    const home = await place(t);
    const store = await home.open();
    const under = Promise.all(Array.from({ length: 20 }, (_, index) => store.commit([put(`k/${index}`, index)])));
    await Promise.all([store.close(), store.close()]);
    await under;
    await assert.rejects(store.commit([put('late', 1)]), failure);
    await assert.rejects(store.get('k/0'), failure);
    await assert.rejects(store.list('k/'), failure);
    const again = await home.open();
    closeAfter(t, () => again.close());
    assert.equal((await again.list('')).length, 20);
  });

  test(`${name}: any sequence of operations leaves what a plain map would hold`, async (t) => {
    await fc.assert(
      fc.asyncProperty(storeCommands, async (commands) => {
        const home = await place(t);
        const real = { home, store: await home.open() };
        try {
          await fc.asyncModelRun(() => ({ model: { records: new Map(), lastRevision: 0 }, real }), commands);
        } finally {
          await real.store.close();
        }
      }),
      { numRuns: 25 },
    );
  });
}
