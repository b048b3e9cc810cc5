import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/temporary.ts';
import { openKeys } from './keys.ts';

test('keys are there again at the next opening, sealed with a key file of their own', async (t) => {
  const dataDirectory = join(temporaryDirectory(t), 'data');
  const first = await openKeys({ dataDirectory });
  const key = await first.create({ description: 'ci' });
  await assert.rejects(openKeys({ dataDirectory }), { code: 'DataDirectoryLocked' });
  await first.close();

  const second = await openKeys({ dataDirectory });
  assert.deepEqual(
    second.list().map((each) => [each.accessKeyId, each.description]),
    [[key.accessKeyId, 'ci']],
  );
  await second.close();
  assert.equal((await stat(join(dataDirectory, 'sealing.key'))).mode & 0o777, 0o600);
});

test('a key that is lost, damaged or another one is refused, and nothing changes; put back it opens', async (t) => {
  const dataDirectory = join(temporaryDirectory(t), 'data');
  const file = join(dataDirectory, 'sealing.key');
  const elsewhere = join(dataDirectory, '..', 'elsewhere.key');
  const made = await openKeys({ dataDirectory });
  const { accessKeyId } = await made.create();
  await made.close();
  const kept = await readFile(file);
  const before = await readFile(join(dataDirectory, 'store.db'));

  for (const content of [
    Buffer.alloc(32, 1),
    Buffer.from('short'),
    Buffer.alloc(0),
    Buffer.from(`${Buffer.alloc(32).toString('base64')}\n`),
  ]) {
    await writeFile(file, content);
    await assert.rejects(openKeys({ dataDirectory }), { code: 'SealingKeyUnusable' });
    assert.deepEqual(await readFile(file), content);
  }
  await rm(file);
  await assert.rejects(openKeys({ dataDirectory }), { code: 'SealingKeyUnusable', message: /HEARTH_KEY_FILE/ });
  await assert.rejects(openKeys({ dataDirectory, keyFile: elsewhere }), { code: 'SealingKeyUnusable' });
  assert.deepEqual([existsSync(file), existsSync(elsewhere)], [false, false], 'no other key is made');
  assert.deepEqual(await readFile(join(dataDirectory, 'store.db')), before);

  await writeFile(elsewhere, kept);
  const opened = await openKeys({ dataDirectory, keyFile: elsewhere });
  assert.deepEqual(
    opened.list().map((key) => key.accessKeyId),
    [accessKeyId],
  );
  await opened.close();
  assert.equal(existsSync(file), false);
});
