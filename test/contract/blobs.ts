import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import type { Blobs } from '../../src/ports/mod.ts';

export type BlobsPlace = {
  /** Opened again, it finds what was put before. */
  open(): Promise<Blobs>;
  /** Changes the stored bytes behind the implementation's back. */
  damage(sha256: string): Promise<void>;
};

/** What every implementation of the Blobs port promises. `place` makes an empty one, and has it cleaned up by `closeAfter`. */
export function blobsContract(name: string, place: (t: TestContext) => Promise<BlobsPlace>): void {
  const listed = async (blobs: Blobs) => await Array.fromAsync(blobs.list());
  const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

  test(`${name}: bytes that were put are found under their SHA-256`, async (t) => {
    const blobs = await (await place(t)).open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (bytes) => {
        const ref = await blobs.put(bytes);
        assert.deepEqual(ref, { sha256: sha256Of(bytes), bytes: bytes.length });
        assert.equal(await blobs.has(ref.sha256), true);
        assert.deepEqual(await blobs.get(ref.sha256), Buffer.from(bytes));
      }),
      { numRuns: 30 },
    );
  });

  test(`${name}: the same bytes, put again or at the same time, are one blob`, async (t) => {
    const blobs = await (await place(t)).open();
    const bytes = Buffer.alloc(100_000, 'same');
    const refs = await Promise.all(Array.from({ length: 10 }, () => blobs.put(bytes)));
    assert.deepEqual(await blobs.put(bytes), refs[0]);
    assert.deepEqual(await listed(blobs), [refs[0]!.sha256]);
  });

  test(`${name}: what is read is a copy`, async (t) => {
    const blobs = await (await place(t)).open();
    const { sha256 } = await blobs.put(Buffer.from('hello'));
    (await blobs.get(sha256)).fill(0);
    assert.equal((await blobs.get(sha256)).toString(), 'hello');
  });

  test(`${name}: a blob that is not there is BlobNotFound, and so is what is no hash`, async (t) => {
    const blobs = await (await place(t)).open();
    for (const sha256 of [sha256Of(Buffer.from('nothing')), '', '../../etc/passwd', 'A'.repeat(64)]) {
      await assert.rejects(blobs.get(sha256), { name: 'HearthError', code: 'BlobNotFound' });
      assert.equal(await blobs.has(sha256), false);
      await blobs.delete(sha256);
    }
  });

  test(`${name}: a deleted blob is gone, the others stay, and it can be put again`, async (t) => {
    const blobs = await (await place(t)).open();
    const [one, two] = [await blobs.put(Buffer.from('one')), await blobs.put(Buffer.from('two'))];
    await blobs.delete(one.sha256);
    await blobs.delete(one.sha256);
    assert.equal(await blobs.has(one.sha256), false);
    assert.deepEqual(await listed(blobs), [two.sha256]);
    await blobs.put(Buffer.from('one'));
    assert.equal((await blobs.get(one.sha256)).toString(), 'one');
  });

  test(`${name}: a damaged blob is an error, never other bytes, and putting the bytes again heals it`, async (t) => {
    const home = await place(t);
    const blobs = await home.open();
    const { sha256 } = await blobs.put(Buffer.from('precious'));
    await home.damage(sha256);
    await assert.rejects(blobs.get(sha256), { name: 'HearthError', code: 'BlobDamaged' });
    await blobs.put(Buffer.from('precious'));
    assert.equal((await blobs.get(sha256)).toString(), 'precious');
  });

  test(`${name}: blobs are there after opening again, and the list names each once`, async (t) => {
    const home = await place(t);
    const before = await home.open();
    const refs = await Promise.all(Array.from({ length: 50 }, (_, index) => before.put(Buffer.from(`blob ${index}`))));
    const after = await home.open();
    assert.deepEqual(await listed(after), refs.map((ref) => ref.sha256).toSorted());
    assert.equal((await after.get(refs[7]!.sha256)).toString(), 'blob 7');
  });
}
